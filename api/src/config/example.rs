//! The text of `config.example.toml`, written from the declarations (`pulso doctor --example`).

use super::settings;

const HEAD: &str = "\
# Every setting of Pulso with its default. Copy to pulso.toml and uncomment what you change.
# Each is also a flag (--database-url) and a variable (PULSO_DATABASE_URL); flag > variable > file.
# Secrets can also be named by file: database_url_file, PULSO_DATABASE_URL_FILE.
# This file is written by `pulso doctor --example`; tests/config.rs compares it.
";

/// The example file, every line of it a comment.
pub fn example() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for setting in settings() {
        if setting.section != section {
            section = setting.section;
            text.push_str(&format!("\n# --- {section} ---\n"));
        }
        text.push('\n');
        for line in setting.help {
            text.push_str(&format!("# {}\n", line.trim()));
        }
        let mut variables = setting.variables();
        if setting.secret {
            variables = variables.iter().flat_map(|v| [v.clone(), format!("{v}_FILE")]).collect();
        }
        text.push_str(&format!("# Variable: {}\n", variables.join(", ")));
        if !setting.default_note.is_empty() {
            text.push_str(&format!("# Default: {}\n", setting.default_note));
        }
        let value = (setting.default)().unwrap_or_else(|| setting.example.to_owned());
        text.push_str(&format!("#{} = {value}\n", setting.key));
    }
    text
}
