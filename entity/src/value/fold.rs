//! Text without accents and capitals, so that "João" is found as "joao" and stands beside it. Done
//! here and stored, because neither database folds like the other.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Compatibility decomposition without marks, lower case, a few letters that do not decompose
/// written out, runs of white space as one space, none at the ends. Folding twice changes nothing.
pub fn fold(text: &str) -> String {
    let mut folded = fold_once(text);
    if text.is_ascii() {
        return folded;
    }
    // Lower-casing can make a letter that decomposes again (İ, ẞ): a second pass ends it.
    loop {
        let again = fold_once(&folded);
        if again == folded {
            return folded;
        }
        folded = again;
    }
}

fn fold_once(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut space_due = false;
    let letters = text.nfkd().filter(|character| !is_combining_mark(*character));
    for character in letters.flat_map(char::to_lowercase) {
        // NUL has no place in PostgreSQL's text, and other controls are no one's search.
        if character.is_whitespace() || character.is_control() {
            space_due = !folded.is_empty();
            continue;
        }
        if is_combining_mark(character) {
            continue;
        }
        if std::mem::take(&mut space_due) {
            folded.push(' ');
        }
        match character {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'ø' => folded.push('o'),
            'đ' => folded.push('d'),
            'ł' => folded.push('l'),
            other => folded.push(other),
        }
    }
    folded
}

/// What a record is searched by: the folded words of all parts between single spaces, with a space
/// at either end so that the beginning and the end of a word can be asked for; empty when there are
/// no words.
pub fn search_text(parts: &[&str]) -> String {
    let mut text = String::new();
    for part in parts {
        let folded = fold(part);
        if folded.is_empty() {
            continue;
        }
        text.push(' ');
        text.push_str(&folded);
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accents_and_capitals_are_dropped() {
        for (text, folded) in [
            ("João  da SILVA", "joao da silva"),
            ("São José dos Ausentes", "sao jose dos ausentes"),
            ("AÇÚCAR\u{a0}União\t", "acucar uniao"),
            ("e\u{301}cole", "ecole"),
            ("Straße Ærø Łódź Đông", "strasse aero lodz dong"),
            ("ẞ", "ss"),
            ("İstanbul", "istanbul"),
            ("ﬁm ² ①", "fim 2 1"),
            ("Ａｂｃ", "abc"),
            ("", ""),
            (" \n ", ""),
            ("a\u{0}b", "a b"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn search_text_has_a_space_around_every_word() {
        assert_eq!(search_text(&["Padaria  Pão Quente", "", "SP"]), " padaria pao quente sp ");
        assert_eq!(search_text(&["", "  "]), "");
        assert_eq!(search_text(&[]), "");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in any::<String>()) {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded);
        }

        #[test]
        fn capitals_do_not_matter(text in "[a-zA-ZÀ-ÖØ-öø-ÿ ]{0,40}") {
            prop_assert_eq!(fold(&text.to_uppercase()), fold(&text));
        }

        #[test]
        fn folded_words_stand_between_single_spaces(parts in proptest::collection::vec(any::<String>(), 0..4)) {
            let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let text = search_text(&texts);
            prop_assert!(text.is_empty() || (text.starts_with(' ') && text.ends_with(' ')));
            prop_assert!(!text.contains("  "));
            for part in &parts {
                let folded = fold(part);
                let stands = text.contains(&format!(" {folded} "));
                prop_assert!(folded.is_empty() || stands);
            }
        }
    }
}
