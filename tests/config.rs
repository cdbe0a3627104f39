//! Settings: every one is in the example file and has a flag; precedence; all errors at once; no
//! secret is ever shown.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Write as _;

use pulso::config::{Config, DatabaseUrl, Demo, Introspection, Sources, example, settings};

use crate::support::sources::root;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn sources(
    flags: &[(&str, &str)],
    environment: &[(&str, &str)],
    file: &str,
) -> (Sources, tempfile::NamedTempFile) {
    let mut written = tempfile::NamedTempFile::new().unwrap();
    written.write_all(file.as_bytes()).unwrap();
    let sources = Sources {
        flags: map(flags),
        environment: map(environment),
        file: Some(written.path().to_owned()),
    };
    (sources, written)
}

#[test]
fn the_example_file_is_what_the_declarations_say() {
    let path = root().join("config.example.toml");
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == example(),
        "config.example.toml is not what the settings say; write it anew:\n  \
         cargo run -- doctor --example > config.example.toml"
    );
}

#[test]
fn the_example_file_uncommented_is_a_configuration_with_the_same_defaults() {
    let text: String = example()
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.starts_with(' '))
        .map(|line| format!("{line}\n"))
        .collect();
    let table: toml::Table = text.parse().unwrap();
    let keys: BTreeSet<_> = table.keys().map(String::as_str).collect();
    let known: BTreeSet<_> = settings().iter().map(|setting| setting.key).collect();
    assert_eq!(keys, known);

    let (sources, _file) = sources(&[], &[], &text);
    let config = Config::load(&sources).unwrap();
    let defaults = Config::default();
    for ((key, value, _), (_, default, _)) in config.shown().into_iter().zip(defaults.shown()) {
        let has_default = settings().iter().any(|s| s.key == key && (s.default)().is_some());
        if has_default {
            assert_eq!(value, default, "{key}");
        }
    }
}

#[test]
fn every_section_lists_the_variables_it_reads() {
    let mut said = String::new();
    for name in ["server", "database", "identity", "graphql", "limits", "mail", "log"] {
        let path = root().join(format!("api/src/config/{name}.rs"));
        let text = std::fs::read_to_string(path).unwrap();
        said.extend(text.lines().filter(|line| line.starts_with("//!")));
    }
    for setting in settings() {
        for variable in setting.variables() {
            assert!(said.contains(&format!("`{variable}`")), "{variable} is not in its file's //!");
        }
    }
}

#[test]
fn flag_beats_variable_beats_file_beats_default() {
    let port = |flags: &[(&str, &str)], environment: &[(&str, &str)], file: &str| {
        let (sources, _file) = sources(flags, environment, file);
        Config::load(&sources).unwrap().server.port
    };
    let (flag, variable, file) =
        ([("port", "1")], [("PULSO_PORT", "2"), ("PORT", "3")], "port = 4");
    assert_eq!(port(&flag, &variable, file), 1);
    assert_eq!(port(&[], &variable, file), 2);
    assert_eq!(port(&[], &[("PORT", "3")], file), 3);
    assert_eq!(port(&[], &[("PULSO_PORT", "")], file), 4);
    assert_eq!(port(&[], &[], ""), 8000);
}

#[test]
fn all_errors_come_at_once_and_name_their_source() {
    let (sources, _file) = sources(
        &[("database_connections_max", "many")],
        &[
            ("PULSO_PORT", "70000"),
            ("DATABASE_URL", "mysql://u:hunter2@h/d"),
            ("PULSO_LOG_LEVEL", "="),
        ],
        "hots = \"x\"\nmigrate = \"yes\"\ndemo = \"sometimes\"\ncors_origins = [1]\n",
    );
    let problems = Config::load(&sources).unwrap_err().to_string();
    for part in [
        "--database-connections-max",
        "PULSO_PORT: \"70000\"",
        "DATABASE_URL: must begin with",
        "PULSO_LOG_LEVEL",
        "hots: there is no such setting",
        "migrate: must be true or false",
        "demo: \"sometimes\" is none of: auto, never",
        "cors_origins: must be a list of texts",
    ] {
        assert!(problems.contains(part), "{part} is missing in:\n{problems}");
    }
    assert!(!problems.contains("hunter2"), "{problems}");
}

#[test]
fn a_file_that_is_not_toml_or_not_there_is_an_error() {
    let (sources, _file) = sources(&[], &[], "port = 1\njwt_secret = \"hunter2");
    let problems = Config::load(&sources).unwrap_err().to_string();
    assert!(problems.contains("line 2"), "{problems}");
    assert!(!problems.contains("hunter2"), "{problems}");

    let missing = Sources {
        environment: map(&[("PULSO_CONFIG", "/nowhere/pulso.toml")]),
        ..Sources::default()
    };
    let problems = Config::load(&missing).unwrap_err().to_string();
    assert!(problems.contains("PULSO_CONFIG: cannot read /nowhere/pulso.toml"), "{problems}");
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    writeln!(secret, "hunter2hunter2hunter2hunter2hunter2").unwrap();
    let path = secret.path().to_str().unwrap();
    let (sources, _file) = sources(
        &[],
        &[
            ("PULSO_JWT_SECRET_FILE", path),
            (
                "DATABASE_URL",
                "postgres://pulso:swordfish@db/pulso?sslmode=require&password=swordfish",
            ),
        ],
        "",
    );
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.signing_secret().unwrap().reveal(), "hunter2hunter2hunter2hunter2hunter2");
    let shown = format!("{config:?} {:?} {}", config.shown(), config.database.url);
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(!shown.contains("swordfish"), "{shown}");
    assert!(
        shown.contains("postgres://pulso:***@db/pulso?sslmode=require&password=***"),
        "{shown}"
    );
}

#[test]
fn a_signing_secret_that_is_set_has_32_bytes() {
    let url = ("DATABASE_URL", "postgres://localhost/pulso");
    let load = |environment: &[(&str, &str)]| {
        let (sources, _file) = sources(&[], environment, "");
        Config::load(&sources)
    };
    assert!(load(&[url]).is_ok(), "it is made and kept in the database");
    let short = load(&[url, ("PULSO_JWT_SECRET", "short")]).unwrap_err().to_string();
    assert!(short.contains("at least 32 bytes"), "{short}");
    let config = load(&[url, ("PULSO_JWT_SECRET", "0123456789abcdef0123456789abcdef")]);
    assert!(!config.unwrap().database.migrates_at_start());
}

#[test]
fn an_embedded_database_gets_a_secret_of_its_own_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.database.url =
        DatabaseUrl::new(format!("sqlite://{}/new/pulso.db?mode=rwc", folder.path().display()));
    let first = config.signing_secret().unwrap();
    assert!(first.reveal().len() >= 32);
    assert_eq!(config.signing_secret().unwrap(), first);
    let path = config.signing_secret_file().unwrap();
    assert_eq!(path, folder.path().join("new/jwt.secret"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::write(&path, "").unwrap();
    assert!(config.signing_secret().is_err(), "an empty secret must not sign anything");
}

#[test]
fn kubernetes_service_links_are_ignored_and_misspelt_variables_are_told() {
    let (sources, _file) = sources(
        &[],
        &[
            ("PULSO_PORT", "tcp://10.0.0.1:8000"),
            ("PULSO_SERVICE_HOST", "10.0.0.1"),
            ("PULSO_PROT", "9000"),
            ("PULSO_DEMO", "never"),
            ("PULSO_INTROSPECTION", "off"),
        ],
        "",
    );
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.server.port, 8000);
    assert_eq!(config.database.demo, Demo::Never);
    assert_eq!(config.graphql.introspection, Introspection::Off);
    let warnings = config.warnings.join("\n");
    assert!(warnings.contains("PULSO_PROT is not a setting"), "{warnings}");
    assert!(!warnings.contains("PULSO_SERVICE_HOST"), "{warnings}");
}

#[test]
fn lists_are_split_and_checked() {
    let (sources, _file) = sources(
        &[],
        &[
            ("PULSO_CORS_ORIGINS", "https://app.example.com, http://localhost:*"),
            ("PULSO_TRUSTED_PROXIES", "10.0.0.0/8,::1,192.168.1.7"),
        ],
        "",
    );
    let server = Config::load(&sources).unwrap().server;
    let allowed = |origin| server.cors_origins.iter().any(|pattern| pattern.allows(origin));
    assert!(allowed("https://app.example.com"));
    assert!(allowed("http://localhost:5173"));
    for refused in [
        "http://localhost",
        "http://localhost:",
        "http://localhost:80.evil.example",
        "https://evil.example",
    ] {
        assert!(!allowed(refused), "{refused}");
    }
    let trusted =
        |ip: &str| server.trusted_proxies.iter().any(|range| range.contains(ip.parse().unwrap()));
    assert!(
        trusted("10.200.3.4")
            && trusted("::1")
            && trusted("192.168.1.7")
            && trusted("::ffff:10.1.1.1")
    );
    assert!(!trusted("11.0.0.1") && !trusted("::2") && !trusted("192.168.1.8"));

    let wrong = [("PULSO_TRUSTED_PROXIES", "10.0.0.0/33"), ("PULSO_CORS_ORIGINS", "example.com")];
    let (sources, _file) = self::sources(&[], &wrong, "");
    assert_eq!(Config::load(&sources).unwrap_err().0.len(), 2);
}
