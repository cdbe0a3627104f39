//! The keys under which secrets are stored: given as a setting, or, with an embedded database, made
//! once and kept beside it.

use std::path::PathBuf;

use super::setting::Shape;
use super::value::Value;
use super::{Config, PreviousSecrets, Secret, secret};
use crate::error::{Error, Result};

/// The keys of the setting `master_keys`: the first seals, all open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MasterKeys(PreviousSecrets);

impl MasterKeys {
    pub fn new(keys: Vec<Secret>) -> Self {
        Self(PreviousSecrets::new(keys))
    }
}

impl Value for MasterKeys {
    const SHAPE: Shape = Shape::List;

    fn from_text(text: &str) -> Result<Self, String> {
        PreviousSecrets::from_text(text).map(Self)
    }

    fn to_toml(&self) -> Option<String> {
        self.0.to_toml()
    }

    fn shown(&self) -> String {
        self.0.shown()
    }
}

/// Where master keys come from.
#[derive(Debug, Clone)]
pub struct MasterKeySource {
    given: Vec<Secret>,
    /// Beside an embedded database.
    file: Option<PathBuf>,
    /// A database in memory dies with the process, and so may its keys.
    in_memory: bool,
}

/// The keys there are, the one that seals first.
#[derive(Debug)]
pub struct FoundKeys {
    pub keys: Vec<Secret>,
    /// The file that was made just now.
    pub made: Option<PathBuf>,
}

impl Config {
    pub fn master_key_source(&self) -> MasterKeySource {
        let url = &self.database.url;
        let file = url.file().filter(|_| url.is_embedded());
        MasterKeySource {
            given: self.identity.master_keys.0.secrets().to_vec(),
            in_memory: url.is_embedded() && file.is_none(),
            file: file.map(|path| path.with_file_name("master.key")),
        }
    }
}

impl MasterKeySource {
    /// Reads the keys, and makes the one of an embedded database where there is none. A file that is
    /// there opens what it sealed, also when a setting has taken its place.
    pub fn load(&self) -> Result<FoundKeys> {
        let mut found = FoundKeys { keys: self.given.clone(), made: None };
        if let Some(path) = &self.file {
            let is_there = path.exists();
            if is_there || found.keys.is_empty() {
                let key = secret::load_or_create(path)
                    .map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
                found.keys.push(key);
                found.made = (!is_there).then(|| path.clone());
            }
        } else if found.keys.is_empty() && self.in_memory {
            found.keys.push(Secret::random());
        }
        Ok(found)
    }
}
