//! Everything an operator can set. Each setting is declared once, in the file of its section: the
//! flag of `pulso serve`, the variable `PULSO_…`, the key in the file, `config.example.toml` and
//! `--help` are all read off that declaration, and `tests/config.rs` compares them.
//!
//! Precedence: flag, variable, file (`--config`, `PULSO_CONFIG`, or `./pulso.toml` if it exists),
//! default. Unknown keys in the file are errors, and all errors are listed at once. Secrets are
//! redacted wherever they are printed. No other part of the house reads the environment.

mod address;
mod database;
mod example;
mod graphql;
mod identity;
mod limits;
mod log;
mod mail;
mod master_key;
mod secret;
mod server;
mod setting;
mod sources;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use address::{IpRange, OriginPattern};
pub use database::{Database, DatabaseUrl, Demo};
pub use example::example;
pub use graphql::{GraphqlDoor, Introspection};
pub use identity::{Identity, PreviousSecrets};
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use mail::{Mail, SmtpTls};
pub use master_key::{FoundKeys, MasterKeySource, MasterKeys};
pub use secret::{SECRET_BYTES_MIN, Secret};
pub use server::Server;
pub use setting::{Setting, Shape};
pub use sources::{Problem, Problems, Sources};

use crate::error::{Error, Result};

/// The settings of one process. `Config::default()` is what an empty environment gives.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub identity: Identity,
    pub graphql: GraphqlDoor,
    pub limits: Limits,
    pub mail: Mail,
    pub log: Log,
    /// What was odd but not wrong; `serve` logs it.
    pub warnings: Vec<String>,
    provenance: BTreeMap<&'static str, String>,
}

/// Every setting, in the order of the example file.
pub fn settings() -> Vec<Setting> {
    [
        Server::SETTINGS,
        Database::SETTINGS,
        Identity::SETTINGS,
        GraphqlDoor::SETTINGS,
        Limits::SETTINGS,
        Mail::SETTINGS,
        Log::SETTINGS,
    ]
    .concat()
}

impl Config {
    /// Reads all sources. The error lists everything that is wrong with them.
    pub fn load(sources: &Sources) -> Result<Self, Problems> {
        let settings = settings();
        let mut values = sources::Values::new(sources, &settings);
        let mut config = Self {
            server: Server::read(&mut values),
            database: Database::read(&mut values),
            identity: Identity::read(&mut values),
            graphql: GraphqlDoor::read(&mut values),
            limits: Limits::read(&mut values),
            mail: Mail::read(&mut values),
            log: Log::read(&mut values),
            warnings: Vec::new(),
            provenance: BTreeMap::new(),
        };
        config.check(&mut values);
        if !values.problems.is_empty() {
            return Err(Problems(values.problems));
        }
        config.warnings = values.warnings;
        config.provenance = values.provenance;
        Ok(config)
    }

    /// What one value alone cannot tell.
    fn check(&self, values: &mut sources::Values<'_>) {
        if self.server.host.is_empty() {
            values.problem(values.source_of("host"), "must not be empty");
        }
        if self.server.request_timeout_ms == 0 {
            values.problem(values.source_of("request_timeout_ms"), "must be at least 1");
        }
        if self.database.connections_max == 0 {
            values.problem(values.source_of("database_connections_max"), "must be at least 1");
        }
        if let Err(message) = crate::telemetry::check_directives(&self.log.level) {
            values.problem(values.source_of("log_level"), message);
        }
        self.mail.check(values);
        self.identity.check(values);
        match &self.identity.jwt_secret {
            Some(secret) if secret.reveal().len() < SECRET_BYTES_MIN => values.problem(
                values.source_of("jwt_secret"),
                format!("must have at least {SECRET_BYTES_MIN} bytes"),
            ),
            Some(_) | None => {}
        }
    }

    /// The secret that signs access tokens: the setting, or, with an embedded database, one that is
    /// made once and kept beside the database in `jwt.secret`. On PostgreSQL it is kept in the
    /// database ([`crate::identity::signing_secret`]).
    pub fn signing_secret(&self) -> Result<Secret> {
        if let Some(secret) = &self.identity.jwt_secret {
            return Ok(secret.clone());
        }
        if !self.database.url.is_embedded() {
            return Err(Error::internal("the signing secret was not read from the database"));
        }
        match self.signing_secret_file() {
            Some(path) => secret::load_or_create(&path)
                .map_err(|error| Error::internal(format!("{}: {error}", path.display()))),
            // A database in memory dies with the process, and so may its tokens.
            None => Ok(Secret::random()),
        }
    }

    /// Where the secret of an embedded database is kept.
    pub fn signing_secret_file(&self) -> Option<PathBuf> {
        self.database.url.file().map(|path| path.with_file_name("jwt.secret"))
    }

    /// Every setting with its value as it may be shown, and where it came from.
    pub fn shown(&self) -> Vec<(&'static str, String, String)> {
        let mut pairs = Vec::new();
        self.server.shown(&mut pairs);
        self.database.shown(&mut pairs);
        self.identity.shown(&mut pairs);
        self.graphql.shown(&mut pairs);
        self.limits.shown(&mut pairs);
        self.mail.shown(&mut pairs);
        self.log.shown(&mut pairs);
        pairs
            .into_iter()
            .map(|(key, value)| {
                let source = self.provenance.get(key).map_or("default", String::as_str);
                (key, value, source.to_owned())
            })
            .collect()
    }
}
