//! Names in the three spellings that columns, fields and enum values have.

/// `expected_close_date` -> `expectedCloseDate`.
pub fn camel_case(snake: &str) -> String {
    let mut camel = String::with_capacity(snake.len());
    let mut upper = false;
    for character in snake.chars() {
        if character == '_' {
            upper = true;
        } else if upper {
            camel.push(character.to_ascii_uppercase());
            upper = false;
        } else {
            camel.push(character);
        }
    }
    camel
}

/// `expectedCloseDate` -> `EXPECTED_CLOSE_DATE`.
pub fn screaming_case(camel: &str) -> String {
    let mut screaming = String::with_capacity(camel.len() + 4);
    for character in camel.chars() {
        if character.is_ascii_uppercase() {
            screaming.push('_');
        }
        screaming.push(character.to_ascii_uppercase());
    }
    screaming
}
