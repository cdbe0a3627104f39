//! Templates: columns among words.

use super::super::plan::Part;

/// `{account} / {product}`; `{{` and `}}` are braces.
pub(super) fn template(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        if matches!(character, '{' | '}') && rest.next_if_eq(&character).is_some() {
            literal.push(character);
            continue;
        }
        match character {
            '}' => return None,
            '{' => {
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                let mut inside = String::new();
                loop {
                    match rest.next()? {
                        '}' => break,
                        '{' => return None,
                        other => inside.push(other),
                    }
                }
                let (name, chars) = match inside.rsplit_once(':') {
                    Some((name, count)) => (name.to_owned(), Some(count.trim().parse().ok()?)),
                    None => (inside, None),
                };
                if name.trim().is_empty() {
                    return None;
                }
                parts.push(Part::Column { name: name.trim().to_owned(), chars });
            }
            other => literal.push(other),
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, chars: Option<usize>) -> Part {
        Part::Column { name: name.to_owned(), chars }
    }

    #[test]
    fn templates_are_columns_among_words() {
        let text = |text: &str| Part::Text(text.to_owned());
        assert_eq!(
            template("{account} / {products.series}").unwrap(),
            [column("account", None), text(" / "), column("products.series", None)]
        );
        assert_eq!(
            template("Seller {seller_id:8}").unwrap(),
            [text("Seller "), column("seller_id", Some(8))]
        );
        assert_eq!(template("{{{a}}}").unwrap(), [text("{"), column("a", None), text("}")]);
        for broken in ["{", "}", "{a", "a}", "{}", "{a:x}", "{a{b}}"] {
            assert_eq!(template(broken), None, "{broken}");
        }
    }
}
