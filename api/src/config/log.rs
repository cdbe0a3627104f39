//! What is logged and how.
//!
//! Reads `PULSO_LOG_FORMAT`, `PULSO_LOG_LEVEL`.

use super::setting::settings;
use super::value::choice;

settings! {
    /// What is logged and how; logs go to standard error.
    Log, "Log";

    /// Form of the log lines: pretty or json.
    "log_format" format: Option<LogFormat> = None, {
        default_note: "pretty in a terminal, else json", example: "\"json\"", every_command: true
    };

    /// error, warn, info, debug, trace, or directives per module: info,pulso::http=debug.
    "log_level" level: String = "info,sqlx=warn,sea_orm_migration=warn".to_owned(), { every_command: true };
}

choice! {
    /// Form of the log lines.
    LogFormat { Pretty = "pretty", Json = "json", }
}
