//! `search`: words in the names of 100,000 contacts, on both databases.

use serde_json::{Value, json};

use crate::http::Target;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::report::{Bound, Budget, Table, Verdict, figure, heading, judge};
use crate::sqlite;
use crate::stand::{Size, Stand};
use crate::timing::Asker;

const SEARCH: &str = "query($text: String!) { contacts(search: $text, first: 20) \
     { nodes { id fullName } } }";

const P95_MS: f64 = 50.0;

/// Of what kind a search is, and its text.
const WORDS: [(&str, &str); 10] = [
    ("common", "joão"),
    ("common", "silva"),
    ("rare", "wanderleia"),
    ("rare surname", "quaresma"),
    ("two words", "joao silva"),
    ("two rare words", "wanderleia souza"),
    ("part of a word", "anderl"),
    ("misspelt", "wanderlia"),
    ("two misspelt words", "joaao sillva"),
    ("two letters", "jo"),
];

pub(crate) async fn run(options: &Options) -> Outcome<Verdict> {
    let size = Size {
        users: 50,
        companies: options.scaled(20_000, 200),
        contacts: options.scaled(100_000, 5_000),
        leads: 1_000,
        deals: 1_000,
    };
    let stand = Stand::set_up(options, size)?;
    heading("Search", &[format!("PostgreSQL {}", stand.postgres.version())]);
    let mut budgets = Vec::new();
    let server = stand.pulso.serve("pulso", &stand.postgres.url())?;
    let target = server.target(&stand.keys.seed);
    let on_postgres = measure("PostgreSQL", &target, options, &mut budgets).await?;
    drop(server);
    if options.sqlite {
        let url = sqlite::copy(&stand)?;
        let server = stand.pulso.serve("pulso-sqlite", &url)?;
        let target = server.target(&stand.keys.seed);
        let on_sqlite = measure("SQLite", &target, options, &mut budgets).await?;
        for ((kind, text), (one, other)) in WORDS.iter().zip(on_postgres.iter().zip(&on_sqlite)) {
            if one != other {
                return Err(format!("the databases find different rows for {text} ({kind})"));
            }
        }
        println!("\nboth databases find the same rows in the same order");
    }
    Ok(judge(&budgets, options.quick))
}

/// Times every search; returns what was found.
async fn measure(
    database: &str,
    target: &Target,
    options: &Options,
    budgets: &mut Vec<Budget>,
) -> Outcome<Vec<Value>> {
    let head = format!("Search on {database}");
    let mut table = Table::new(&[&head, "text", "rows", "p50 ms", "p95 ms"]);
    let mut asker = Asker::new(target).await?;
    let requests = if options.quick { 20 } else { 100 };
    let (mut found, mut slowest) = (Vec::new(), 0.0_f64);
    for (kind, text) in WORDS {
        let (answer, times) = asker.repeat(SEARCH, &json!({ "text": text }), requests).await?;
        let nodes = answer.pointer("/contacts/nodes").cloned().unwrap_or_default();
        let rows = nodes.as_array().map_or(0, Vec::len);
        let cells = [kind.to_owned(), text.to_owned(), rows.to_string()];
        let times = (figure(times.p50), figure(times.p95), times.p95);
        slowest = slowest.max(times.2);
        table.row(cells.into_iter().chain([times.0, times.1]).collect());
        found.push(nodes);
    }
    table.print();
    budgets.push(Budget {
        work: format!("search of contacts on {database}, slowest, p95 ms"),
        bound: Bound::AtMost(P95_MS),
        measured: Some(slowest),
    });
    Ok(found)
}
