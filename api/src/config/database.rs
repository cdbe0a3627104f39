//! Which database, and what may be done to it at start-up.
//!
//! Reads `PULSO_DATABASE_URL` (also `DATABASE_URL`; each with `_FILE`),
//! `PULSO_DATABASE_CONNECTIONS_MAX`, `PULSO_MIGRATE`, `PULSO_DEMO`.

use std::fmt;
use std::path::PathBuf;

use super::setting::{Shape, settings};
use super::value::{Value, choice, quoted};

settings! {
    /// Which database, and what may be done to it at start-up.
    Database, "Database";

    /// sqlite://PATH?mode=rwc or postgres://USER:PASSWORD@HOST/NAME (PostgreSQL 15 or newer).
    "database_url" url: DatabaseUrl = DatabaseUrl::default(), {
        also: &["DATABASE_URL"], secret: true, every_command: true
    };

    /// Connections to PostgreSQL; on two cores 6 to 8 beat 16.
    "database_connections_max" connections_max: u32 = 8, { every_command: true };

    /// Apply pending migrations at start-up.
    "migrate" migrate: Option<bool> = None, {
        default_note: "true on SQLite, false on PostgreSQL", example: "true"
    };

    /// Demo data on an empty SQLite database: auto makes it and prints its login once, never does not.
    "demo" demo: Demo = Demo::Auto;
}

choice! {
    /// Whether an empty embedded database gets the demo tenant.
    Demo { Auto = "auto", Never = "never", }
}

impl Database {
    /// Whether `serve` applies pending migrations.
    pub fn migrates_at_start(&self) -> bool {
        self.migrate.unwrap_or_else(|| self.url.is_embedded())
    }
}

/// A database URL: it may hold a password, which is masked wherever the URL is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL with its password.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether the database lives in this process (SQLite).
    pub fn is_embedded(&self) -> bool {
        self.0.starts_with("sqlite:")
    }

    /// The file of an embedded database, where it has one.
    pub fn file(&self) -> Option<PathBuf> {
        let rest = self.0.strip_prefix("sqlite:")?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let in_memory = path.is_empty() || path == ":memory:" || self.0.contains("mode=memory");
        (!in_memory).then(|| PathBuf::from(path))
    }

    fn masked(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return self.0.clone();
        };
        // A password may hold `@`, `/` or `?` unescaped: everything before the last `@` is hidden.
        let (login, host) = match rest.rsplit_once('@') {
            Some((login, host)) => {
                let user = login.split_once(':').map_or(login, |(user, _)| user);
                (format!("{user}:***@"), host)
            }
            None => (String::new(), rest),
        };
        let (host, query) = host.split_once('?').unwrap_or((host, ""));
        let query: Vec<&str> = query
            .split('&')
            .map(|part| if part.starts_with("password=") { "password=***" } else { part })
            .collect();
        let mark = if query.iter().all(|part| part.is_empty()) { "" } else { "?" };
        format!("{scheme}://{login}{host}{mark}{}", query.join("&"))
    }
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self("sqlite://./data/pulso.db?mode=rwc".to_owned())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.masked())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Value for DatabaseUrl {
    const SHAPE: Shape = Shape::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
        {
            Ok(Self(text.to_owned()))
        } else {
            // The text is not repeated: it may hold a password.
            Err("must begin with sqlite:// or postgres://".to_owned())
        }
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(&self.masked()))
    }
}
