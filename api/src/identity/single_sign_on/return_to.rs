//! Where browsers begin, come back to, and are led in the end. The last is somebody's wish, and
//! granted only below addresses that the operator named: whoever could choose freely would send
//! people, and codes, to a place of theirs.

use reqwest::Url;

use crate::config::Config;
use crate::error::{Error, Result, say};
use crate::limits;

/// Where a browser begins to sign in.
pub fn begin_url(config: &Config, tenant: &str, provider: &str) -> String {
    format!("{}/auth/oidc/{tenant}/{provider}", own(config))
}

/// Where a provider sends browsers back to.
pub fn callback_url(config: &Config, tenant: &str, provider: &str) -> String {
    format!("{}/callback", begin_url(config, tenant, provider))
}

/// Whether browsers reach us over TLS.
pub fn is_secure(config: &Config) -> bool {
    own(config).starts_with("https://")
}

fn own(config: &Config) -> &str {
    let url = config.identity.sign_in_url.as_ref().unwrap_or(&config.mail.public_url);
    url.trim_end_matches('/')
}

/// The address that is wished for, if it may be; a path is one of the web application.
pub(super) fn granted(config: &Config, wish: Option<&str>) -> Result<Url> {
    let web = Url::parse(&config.mail.public_url).map_err(Error::internal)?;
    let Some(wish) = wish else { return Ok(web) };
    let is_sane = wish.len() <= limits::RETURN_TO_CHARS_MAX
        && !wish.contains('\\')
        && !wish.contains(char::is_control)
        && wish.trim() == wish;
    let url = if wish.starts_with('/') { web.join(wish).ok() } else { Url::parse(wish).ok() };
    let named = config.identity.sign_in_returns.iter().filter_map(|text| Url::parse(text).ok());
    let mut named = std::iter::once(web).chain(named);
    match url.filter(|_| is_sane) {
        Some(url) if named.any(|named| is_below(&url, &named)) => Ok(url),
        Some(_) | None => Err(Error::invalid_field(
            "return_to",
            say(
                "this address is not below public_url, nor below one of sign_in_returns",
                "este endereço não está sob public_url nem sob um dos de sign_in_returns",
            ),
        )),
    }
}

fn is_below(url: &Url, named: &Url) -> bool {
    let is_same_place = url.scheme() == named.scheme()
        && url.host() == named.host()
        && url.port_or_known_default() == named.port_or_known_default()
        && url.username().is_empty()
        && url.password().is_none();
    let folder = named.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(folder);
    is_same_place && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The address with what became of the sign-in.
pub(super) fn with(address: &str, name: &str, value: &str) -> Result<String> {
    let mut url = Url::parse(address).map_err(Error::internal)?;
    url.query_pairs_mut().append_pair(name, value);
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let mut config = Config::default();
        config.mail.public_url = "https://crm.example.com/app".to_owned();
        config.identity.sign_in_returns =
            vec!["https://admin.example.com".to_owned(), "com.example.crm://signed-in".to_owned()];
        config
    }

    #[test]
    fn browsers_are_led_to_named_places_only() {
        let granted = |wish| granted(&config(), Some(wish)).map(String::from).ok();
        for (wish, address) in [
            ("/app", "https://crm.example.com/app"),
            ("/app/leads?x=1#top", "https://crm.example.com/app/leads?x=1#top"),
            ("https://crm.example.com/app/", "https://crm.example.com/app/"),
            ("https://CRM.example.com:443/app/x", "https://crm.example.com/app/x"),
            ("https://admin.example.com/any/where", "https://admin.example.com/any/where"),
            ("com.example.crm://signed-in", "com.example.crm://signed-in"),
            ("com.example.crm://signed-in/here", "com.example.crm://signed-in/here"),
        ] {
            assert_eq!(granted(wish).as_deref(), Some(address), "{wish}");
        }
        for wish in [
            "",
            "/",
            "/application",
            "/app/../other",
            "/app/%2e%2e/other",
            "//evil.example/app",
            "/\\evil.example/app",
            "\\\\evil.example/app",
            "https:evil.example",
            "https://evil.example/app",
            "https://crm.example.com.evil.example/app",
            "https://crm.example.com@evil.example/app",
            "https://me:pw@crm.example.com/app",
            "https://crm.example.com:8443/app",
            "http://crm.example.com/app",
            " https://crm.example.com/app",
            "https://crm.example.com/app\n",
            "javascript:alert(1)",
            "data:text/html,x",
            "com.example.crm://other",
            "com.example.other://signed-in",
        ] {
            assert_eq!(granted(wish), None, "{wish}");
        }
        assert!(granted(&"/app/".repeat(1_000)).is_none());
    }

    #[test]
    fn what_became_of_it_joins_the_query() {
        let with = |address| with(address, "code", "a&b").unwrap();
        assert_eq!(with("https://a.example/x"), "https://a.example/x?code=a%26b");
        assert_eq!(with("https://a.example/x?y=1#z"), "https://a.example/x?y=1&code=a%26b#z");
        assert_eq!(with("com.example.crm://signed-in"), "com.example.crm://signed-in?code=a%26b");
    }
}
