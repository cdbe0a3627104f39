//! What to call a session in a list: "Chrome, Windows". A guess from the `User-Agent`, for people;
//! nothing is decided by it.

/// Browsers by the word that gives them away, the more particular first: all say "Safari".
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];
const CHARS_MAX: usize = 60;

pub(super) fn of(user_agent: Option<&str>) -> Option<String> {
    let agent = user_agent.map(str::trim).filter(|agent| !agent.is_empty())?;
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    Some(match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        // A program names itself first: `curl/8.5`.
        (None, None) => {
            agent.split_whitespace().next().unwrap_or(agent).chars().take(CHARS_MAX).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn people_recognise_their_devices() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";
        for (agent, label) in [
            (format!("{windows} {webkit} Chrome/130.0 Safari/537.36"), "Chrome, Windows"),
            (format!("{windows} {webkit} Chrome/130.0 Safari/537.36 Edg/130.0"), "Edge, Windows"),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Firefox/132.0".to_owned(),
                "Firefox, Linux",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"
                    .to_owned(),
                "Safari, iPhone",
            ),
            ("curl/8.5.0".to_owned(), "curl/8.5.0"),
        ] {
            assert_eq!(of(Some(&agent)).as_deref(), Some(label));
        }
        assert_eq!(of(Some("  ")), None);
        assert_eq!(of(None), None);
        assert_eq!(of(Some(&"x".repeat(500))).unwrap().len(), 60);
    }
}
