//! Where values come from, strongest first: flag, variable, file, default. This is the only place
//! that reads the environment; every problem is collected, so that all are reported at once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::setting::{Setting, Shape};
use super::value::Value;

const FILE_DEFAULT: &str = "pulso.toml";
const FILE_VARIABLE: &str = "PULSO_CONFIG";

/// What the command line and the environment gave.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// By the setting's key (`…_file` for the file variant of a secret).
    pub flags: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    /// `--config`.
    pub file: Option<PathBuf>,
}

impl Sources {
    /// The flags of this run and the environment of this process.
    pub fn of_process(flags: BTreeMap<String, String>, file: Option<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
            .collect();
        Self { flags, environment, file }
    }

    /// A variable that is set to nothing counts as absent: compose files write `X=${X:-}`.
    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// The file to read: one that was named must exist, the default one may.
    fn config_file(&self) -> Option<(PathBuf, String)> {
        if let Some(path) = &self.file {
            return Some((path.clone(), "--config".to_owned()));
        }
        if let Some(path) = self.variable(FILE_VARIABLE) {
            return Some((PathBuf::from(path), FILE_VARIABLE.to_owned()));
        }
        let path = PathBuf::from(FILE_DEFAULT);
        path.is_file().then(|| (path, FILE_DEFAULT.to_owned()))
    }
}

/// Something wrong with the configuration, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub source: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.message)
    }
}

/// All problems of one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration cannot be used:")?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Reads settings from the sources, noting problems and where each value came from.
pub(super) struct Values<'a> {
    sources: &'a Sources,
    settings: &'a [Setting],
    file: toml::Table,
    file_name: String,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
    pub(super) provenance: BTreeMap<&'static str, String>,
}

impl<'a> Values<'a> {
    pub(super) fn new(sources: &'a Sources, settings: &'a [Setting]) -> Self {
        let mut values = Self {
            sources,
            settings,
            file: toml::Table::new(),
            file_name: String::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            provenance: BTreeMap::new(),
        };
        if let Some((path, named_by)) = sources.config_file() {
            values.read_file(&path, &named_by);
        }
        values.check_variables();
        values
    }

    pub(super) fn problem(&mut self, source: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { source: source.into(), message: message.into() });
    }

    /// Where the value of `key` came from.
    pub(super) fn source_of(&self, key: &str) -> String {
        self.provenance.get(key).cloned().unwrap_or_else(|| "default".to_owned())
    }

    /// The value of the setting `key`; a wrong one is noted and the default stands in for it.
    pub(super) fn take<T: Value>(&mut self, key: &str, default: T) -> T {
        let Some(setting) = self.settings.iter().find(|setting| setting.key == key).copied() else {
            return default;
        };
        let Some((source, found)) = self.find(&setting) else {
            return default;
        };
        self.provenance.insert(setting.key, source.clone());
        match found.and_then(|text| T::from_text(&text)) {
            Ok(value) => value,
            Err(message) => {
                self.problem(source, message);
                default
            }
        }
    }

    /// The strongest source that has the setting, and its text.
    fn find(&self, setting: &Setting) -> Option<(String, Result<String, String>)> {
        let key_file = format!("{}_file", setting.key);
        if let Some(text) = self.sources.flags.get(setting.key) {
            return Some((format!("--{}", setting.flag()), Ok(text.clone())));
        }
        if let Some(path) = self.sources.flags.get(&key_file).filter(|_| setting.secret) {
            return Some((format!("--{}-file", setting.flag()), read_secret(Path::new(path))));
        }
        for name in setting.variables() {
            if let Some(text) = self.sources.variable(&name).filter(|text| !is_service_link(text)) {
                return Some((name, Ok(text.to_owned())));
            }
            let name_file = format!("{name}_FILE");
            if let Some(path) = self.sources.variable(&name_file).filter(|_| setting.secret) {
                return Some((name_file, read_secret(Path::new(path))));
            }
        }
        if let Some(value) = self.file.get(setting.key) {
            let source = format!("{}: {}", self.file_name, setting.key);
            return Some((source, text_of(value, setting.shape)));
        }
        if let Some(value) = self.file.get(&key_file).filter(|_| setting.secret) {
            let source = format!("{}: {key_file}", self.file_name);
            let text = text_of(value, Shape::Text);
            return Some((source, text.and_then(|path| read_secret(Path::new(&path)))));
        }
        None
    }

    fn read_file(&mut self, path: &Path, named_by: &str) {
        self.file_name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.problem(named_by, format!("cannot read {}: {error}", path.display()));
                return;
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => {
                for key in table.keys().filter(|key| !self.knows(key)).cloned().collect::<Vec<_>>()
                {
                    self.problem(format!("{}: {key}", self.file_name), "there is no such setting");
                }
                self.file = table;
            }
            Err(error) => {
                let (line, _) = error.span().map_or((0, 0), |span| position(&text, span.start));
                // Only the message: the text around the mistake may hold a secret.
                let source = format!("{} line {line}", self.file_name);
                self.problem(source, error.message().to_owned());
            }
        }
    }

    fn knows(&self, key: &str) -> bool {
        self.settings.iter().any(|setting| {
            setting.key == key || (setting.secret && key.strip_suffix("_file") == Some(setting.key))
        })
    }

    /// A misspelt variable would silently do nothing: say so. (Not an error, because the prefix may
    /// be shared: Kubernetes writes `PULSO_SERVICE_HOST` beside a Service called pulso.)
    fn check_variables(&mut self) {
        let mut known = vec![FILE_VARIABLE.to_owned()];
        for setting in self.settings {
            for name in setting.variables() {
                if setting.secret {
                    known.push(format!("{name}_FILE"));
                }
                known.push(name);
            }
        }
        for (name, value) in &self.sources.environment {
            let ours = name.starts_with("PULSO_")
                && !["PULSO_SERVICE_", "PULSO_PORT_", "PULSO_TEST_", "PULSO_BENCH_"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix));
            if ours && !known.contains(name) {
                self.warnings.push(format!("{name} is not a setting and does nothing"));
            } else if ours && is_service_link(value) {
                self.warnings.push(format!(
                    "{name}={value} was ignored: it is a Kubernetes service link (enableServiceLinks)"
                ));
            }
        }
    }
}

/// Kubernetes sets `PULSO_PORT=tcp://10.0.0.1:8000` in pods beside a Service called pulso.
fn is_service_link(text: &str) -> bool {
    text.starts_with("tcp://") || text.starts_with("udp://")
}

fn read_secret(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The text of a TOML value, which must be of the setting's kind.
fn text_of(value: &toml::Value, shape: Shape) -> Result<String, String> {
    match (shape, value) {
        (Shape::Text, toml::Value::String(text)) => Ok(text.clone()),
        (Shape::Number, toml::Value::Integer(number)) => Ok(number.to_string()),
        (Shape::Flag, toml::Value::Boolean(flag)) => Ok(flag.to_string()),
        (Shape::List, toml::Value::Array(parts)) => {
            let texts: Option<Vec<&str>> = parts.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(",")).ok_or_else(|| "must be a list of texts".to_owned())
        }
        (Shape::Text, _) => Err("must be a text in quotes".to_owned()),
        (Shape::Number, _) => Err("must be a number".to_owned()),
        (Shape::Flag, _) => Err("must be true or false".to_owned()),
        (Shape::List, _) => Err("must be a list of texts".to_owned()),
    }
}

/// Line and column of a byte offset, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
