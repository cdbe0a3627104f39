//! Documents that show the API are run: every `graphql` block of `docs/api.md`, `docs/analytics.md`
//! and `README.md`, in order, on both databases, against the demo data. A block may be followed by `json variables` and
//! by one of `json answer` (exact, `"…"` stands for any text), `json shape` (the same keys and types)
//! and `json errors` (some of the first error's extensions).

use std::collections::BTreeMap;

use pulso::demo::{self, Options};
use pulso::error::Code;
use serde_json::{Map, Value as Json};

use crate::support::sources::root;
use crate::support::{TestApp, both_databases};

const API: &str = include_str!("../docs/api.md");
const README: &str = include_str!("../README.md");
const LIMITS: &str = include_str!("../api/src/limits.rs");

#[derive(Debug, Default)]
struct Example {
    line: usize,
    query: String,
    variables: Option<Json>,
    /// `answer`, `shape` or `errors`, and what stands there.
    expected: Option<(String, Json)>,
}

/// Fenced blocks: line, what stands behind the fence, text.
fn blocks(document: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (number, line) in document.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => open = Some((number + 1, info.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, _, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

fn examples(document: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for (line, info, text) in blocks(document) {
        let json = || {
            serde_json::from_str::<Json>(&text)
                .unwrap_or_else(|error| panic!("line {line}: {error}"))
        };
        match info.as_str() {
            "graphql" => examples.push(Example { line, query: text, ..Example::default() }),
            "json variables" => examples.last_mut().unwrap().variables = Some(json()),
            "json answer" | "json shape" | "json errors" => {
                let kind = info.strip_prefix("json ").unwrap().to_owned();
                examples.last_mut().unwrap().expected = Some((kind, json()));
            }
            "sh" => {
                // What curl is told to send.
                for (_, body) in text
                    .split("-d '")
                    .skip(1)
                    .filter_map(|rest| rest.split_once('\'').map(|(body, _)| ((), body)))
                {
                    let body: Json = serde_json::from_str(body)
                        .unwrap_or_else(|error| panic!("line {line}: {error}: {body}"));
                    let query = body["query"].as_str().unwrap().to_owned();
                    examples.push(Example { line, query, ..Example::default() });
                }
            }
            _ => {}
        }
    }
    examples
}

/// `"from /leadCreate/id"` is taken from what was answered before.
fn filled(variables: &Json, answers: &Json) -> Json {
    match variables {
        Json::String(text) => match text.strip_prefix("from ") {
            Some(pointer) => {
                answers.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")).clone()
            }
            None => variables.clone(),
        },
        Json::Object(entries) => Json::Object(
            entries.iter().map(|(name, value)| (name.clone(), filled(value, answers))).collect(),
        ),
        Json::Array(items) => items.iter().map(|item| filled(item, answers)).collect(),
        other => other.clone(),
    }
}

fn assert_exact(documented: &Json, actual: &Json, at: &str) {
    match (documented, actual) {
        (Json::String(text), Json::String(_)) if text == "…" => {}
        (Json::Object(left), Json::Object(right)) => {
            assert_same_keys(left, right, at);
            for (key, value) in left {
                assert_exact(value, &right[key], &format!("{at}/{key}"));
            }
        }
        (Json::Array(left), Json::Array(right)) => {
            assert_eq!(left.len(), right.len(), "{at}: {right:?}");
            for (number, (left, right)) in left.iter().zip(right).enumerate() {
                assert_exact(left, right, &format!("{at}/{number}"));
            }
        }
        (left, right) => assert_eq!(left, right, "{at}"),
    }
}

/// Lists show one element of theirs; within one, values may be missing.
fn assert_shape(documented: &Json, actual: &Json, at: &str, in_list: bool) {
    match (documented, actual) {
        (_, Json::Null) if in_list => {}
        (Json::Object(left), Json::Object(right)) => {
            assert_same_keys(left, right, at);
            for (key, value) in left {
                assert_shape(value, &right[key], &format!("{at}/{key}"), in_list);
            }
        }
        (Json::Array(left), Json::Array(right)) => {
            assert!(in_list || !right.is_empty(), "{at} is empty");
            for (number, actual) in right.iter().enumerate() {
                assert_shape(&left[0], actual, &format!("{at}/{number}"), true);
            }
        }
        (Json::String(_), Json::String(_))
        | (Json::Number(_), Json::Number(_))
        | (Json::Bool(_), Json::Bool(_)) => {}
        (left, right) => panic!("{at}: documented {left}, is {right}"),
    }
}

fn assert_same_keys(left: &Map<String, Json>, right: &Map<String, Json>, at: &str) {
    let keys = |of: &Map<String, Json>| of.keys().cloned().collect::<Vec<_>>();
    let (mut documented, mut actual) = (keys(left), keys(right));
    documented.sort();
    actual.sort();
    assert_eq!(documented, actual, "{at}");
}

async fn run_all(app: &TestApp, name: &str, document: &str) {
    let all = examples(document);
    assert!(!all.is_empty(), "{name} has no examples");
    let mut answers = Json::Object(Map::new());
    for example in all {
        let place = format!("{name} line {}", example.line);
        let variables = example.variables.as_ref().map_or(Json::Null, |it| filled(it, &answers));
        // As a server does all the time: what an example let in, the next one counts.
        app.fold().await;
        let answer = app.graphql(&app.alpha.admin.key, &example.query, variables).await;
        match example.expected {
            Some((kind, expected)) if kind == "errors" => {
                let extensions = &answer["errors"][0]["extensions"];
                for (key, value) in expected.as_object().unwrap() {
                    assert_eq!(&extensions[key], value, "{place}: {answer:#}");
                }
                continue;
            }
            expected => {
                assert!(answer.get("errors").is_none(), "{place}: {answer:#}");
                match expected {
                    Some((kind, expected)) if kind == "answer" => {
                        assert_exact(&expected, &answer["data"], &place);
                    }
                    Some((_, expected)) => assert_shape(&expected, &answer["data"], &place, false),
                    None => {}
                }
            }
        }
        for (key, value) in answer["data"].as_object().unwrap() {
            answers[key] = value.clone();
        }
    }
}

both_databases! {
    async fn the_documents_tell_the_truth(app: TestApp) {
        demo::fill(&app.app, "alpha", Options::default(), false, |_part| {}).await.unwrap();
        run_all(&app, "docs/api.md", API).await;
        let analytics = std::fs::read_to_string(root().join("docs/analytics.md")).unwrap();
        run_all(&app, "docs/analytics.md", &analytics).await;
        run_all(&app, "README.md", README).await;
    }
}

#[test]
fn an_example_that_is_no_longer_true_is_noticed() {
    let fails = |check: fn()| std::panic::catch_unwind(check).is_err();
    let json = |text: &str| serde_json::from_str::<Json>(text).unwrap();
    let noticed = [
        fails(|| assert_exact(&Json::from(1), &Json::from(2), "")),
        fails(|| assert_exact(&Json::from("…"), &Json::Null, "")),
        fails(|| assert_shape(&Json::from("a"), &Json::from(1), "", false)),
        fails(|| assert_shape(&Json::from("a"), &Json::Null, "", false)),
        fails(|| {
            let (left, right) = (serde_json::json!({ "a": 1 }), serde_json::json!({ "b": 1 }));
            assert_shape(&left, &right, "", false);
        }),
        fails(|| assert_shape(&serde_json::json!([1]), &serde_json::json!([]), "", false)),
        fails(|| assert_shape(&serde_json::json!([1]), &serde_json::json!([1, "x"]), "", false)),
    ];
    assert_eq!(noticed, [true; 7]);
    assert_exact(&json(r#"{"a":["…",null]}"#), &json(r#"{"a":["x",null]}"#), "");
    assert_shape(&json(r#"{"a":[{"b":1}]}"#), &json(r#"{"a":[{"b":7},{"b":null}]}"#), "", false);
}

/// Rows of the table whose last column is a name in back quotes: name -> the cell before it.
fn table(heading: &str) -> Vec<Vec<String>> {
    let section = API.split(heading).nth(1).unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn the_limits_are_those_of_the_code() {
    // What no caller can meet.
    const INSIDE: [&str; 46] = [
        "AUDITED_EVENTS",
        "JOBS_AT_ONCE",
        "RECOUNT_EVENTS",
        "RECOUNT_ROWS",
        "AUDIT_ENTRIES_PER_SEAL",
        "AUDIT_FINDINGS_SHOWN",
        "GOALS_KEPT_ROWS",
        "SNAPSHOTS_KEPT_BYTES",
        "GOALS_WAITING_KEPT",
        "ENDED_SESSION_DAYS",
        "EXPORT_PAGE_ROWS",
        "PURGE_ROWS_AT_ONCE",
        "GUESSES_KEPT_HOURS",
        "MAIL_AGAIN_SECONDS",
        "MAIL_ATTEMPTS_MAX",
        "MAIL_KEPT_DAYS",
        "MAIL_TIMEOUT_MS",
        "PASSWORD_RESET_ANSWER_MS",
        "PROVIDER_ANSWER_BYTES_MAX",
        "PROVIDER_CACHE_ENTRIES",
        "PROVIDER_CACHE_MINUTES",
        "PROVIDER_KEYS_AGAIN_SECONDS",
        "PROVIDER_STALE_HOURS",
        "PROVIDER_TIMEOUT_MS",
        "READ_LOG_ENTRIES_MAX",
        "READ_LOG_FLUSH_ENTRIES",
        "NEWS_POLL_MS",
        "NEWS_ROWS_AT_ONCE",
        "WS_PING_EVERY_MS",
        "PERSISTED_DOCUMENT_BYTES_MAX",
        "DOCUMENT_CACHE_ENTRIES",
        "PLANS_KEPT",
        "VALIDATIONS_KEPT",
        "CREDENTIAL_CACHE_ENTRIES",
        "TOKEN_LEEWAY_SECONDS",
        "KEY_EXPIRY_LAST_NOTICE_DAYS",
        "KEY_EXPIRY_NOTICE_DAYS",
        "KEY_USE_WRITTEN_SECONDS",
        "EVENTS_PER_FOLD",
        "EVENTS_PER_INSERT_MAX",
        "EVENTS_PER_TURN",
        "EVENT_SCHEMAS_KEPT_BYTES",
        "EVENT_BACKFILL_HOURS",
        "EVENT_WRITERS",
        "PASSWORD_HASHES_AT_ONCE",
        "PASSWORD_WAIT_MS",
    ];
    let mut declared = BTreeMap::new();
    for line in LIMITS.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, rest) = line.split_once(':').unwrap();
        let expression = rest.split_once('=').unwrap().1.trim().trim_end_matches(';');
        let factors = expression.split('*').map(|factor| factor.trim().replace('_', ""));
        let value: u64 = factors.map(|factor| factor.parse::<u64>().unwrap()).product();
        declared.insert(name.to_owned(), value);
    }
    for name in INSIDE {
        declared.remove(name);
    }
    let documented: BTreeMap<String, u64> = table("\n## Limits\n")
        .iter()
        .filter(|row| row.len() == 3 && row[2].starts_with('`'))
        .map(|row| (row[2].trim_matches('`').to_owned(), row[1].replace(',', "").parse().unwrap()))
        .collect();
    assert_eq!(documented, declared);
}

#[test]
fn the_codes_are_those_of_the_code() {
    let documented: Vec<String> = table("\n## Errors\n")
        .iter()
        .filter(|row| row[0].starts_with('`'))
        .map(|row| row[0].trim_matches('`').to_owned())
        .collect();
    let (ours, protocol) = documented.split_at(Code::ALL.len());
    assert_eq!(ours, Code::ALL.map(Code::as_str));
    let sources = [
        "graphql/document.rs",
        "graphql/introspection.rs",
        "graphql/respond.rs",
        "http/persisted.rs",
    ];
    let folder = root().join("api/src");
    let text: String =
        sources.iter().map(|path| std::fs::read_to_string(folder.join(path)).unwrap()).collect();
    let mut known: Vec<&str> = text
        .split('"')
        .skip(1)
        .step_by(1)
        .filter(|word| {
            word.contains('_') && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
        .collect();
    known.sort_unstable();
    known.dedup();
    let mut protocol: Vec<&str> = protocol.iter().map(String::as_str).collect();
    protocol.sort_unstable();
    assert_eq!(protocol, known);
}
