//! `writes`: one update through HTTP beside `pgbench -N` on the same server, and the import of
//! companies.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;

use crate::contest::{self, Contender, Way};
use crate::load::{ID, NUMBER, Work};
use crate::machine;
use crate::options::Options;
use crate::outcome::{During as _, Outcome};
use crate::programs::output;
use crate::report::{Bound, Budget, Table, Verdict, figure, heading, judge};
use crate::stand::{Size, Stand, settle};

const UPDATE: &str = "mutation($id: ID!, $score: Int!) { \
     leadUpdate(id: $id, input: {score: $score}) { id score version } }";
const UPDATE_PREFIX: &str = "{\"data\":{\"leadUpdate\":{";

/// The database that `pgbench` makes its own tables in.
const PGBENCH_DATABASE: &str = "pgbench";

/// Both sides write from as many connections: commits share a flush when there are more.
const WRITERS: &str = "8";
const CONNECTIONS: usize = 8;

const IMPORT_SECONDS: f64 = 60.0;

pub(crate) async fn run(options: &Options) -> Outcome<Verdict> {
    let size = Size {
        users: 50,
        companies: options.scaled(20_000, 200),
        contacts: options.scaled(40_000, 400),
        leads: options.scaled(100_000, 5_000),
        deals: options.scaled(50_000, 2_500),
    };
    let stand = Stand::set_up(options, size)?;
    heading("Writes", &[format!("PostgreSQL {}", stand.postgres.version())]);
    let update = update(&stand, options).await?;
    let import = import(&stand, options)?;
    let rows = options.scaled(100_000, 1_000);
    let budgets = [
        Budget {
            work: "one update / pgbench -N".to_owned(),
            bound: Bound::AtLeast(0.25),
            measured: Some(update),
        },
        Budget {
            work: format!("import of {rows} companies, seconds"),
            bound: Bound::AtMost(IMPORT_SECONDS),
            measured: import,
        },
    ];
    Ok(judge(&budgets, options.quick))
}

/// Updates per second through those of `pgbench -N`.
async fn update(stand: &Stand, options: &Options) -> Outcome<f64> {
    let scale = if options.quick { "1" } else { "20" };
    stand.postgres.query(&format!("create database {PGBENCH_DATABASE}"))?;
    let mut prepare = stand.postgres.client("pgbench", PGBENCH_DATABASE);
    output(prepare.args(["-i", "-q", "-s", scale]))?;
    settle(&stand.postgres)?;

    let server = stand.pulso.serve("pulso", &stand.postgres.url())?;
    let body = json!({ "query": UPDATE, "variables": { "id": ID, "score": "SCORE" } }).to_string();
    let body = body.replace("\"SCORE\"", NUMBER);
    let ids: Arc<[String]> = stand.lead_ids()?.into();
    let target = server.target(&stand.keys.admin);
    let work = Arc::new(Work::new(target, &body, ids, UPDATE_PREFIX));
    let database = Some(stand.postgres.process_id());
    let pgbench = stand.postgres.client("pgbench", PGBENCH_DATABASE);
    let arguments = ["-n", "-N", "-M", "prepared", "-c", WRITERS, "-j", "2"].map(OsString::from);
    let way = Way::Http { work, server: server.process_id(), database, connections: CONNECTIONS };
    let contenders = [
        Contender { name: "Pulso, leadUpdate".to_owned(), way },
        Contender { name: "pgbench -N".to_owned(), way: Way::pgbench(&pgbench, arguments) },
    ];
    match contest::hold("One update", options, &contenders).await?.as_slice() {
        [ours, theirs] => Ok(ours.rate / theirs.rate),
        _ => Ok(f64::NAN),
    }
}

/// Seconds that the import takes; `None` where the server has none yet.
fn import(stand: &Stand, options: &Options) -> Outcome<Option<f64>> {
    let url = stand.postgres.url();
    if stand.pulso.command(&url, &["import", "--help"]).is_err() {
        println!("\nimport: not built yet");
        return Ok(None);
    }
    let file = stand.folder.path().join("companies.csv");
    let rows = options.scaled(100_000, 1_000);
    std::fs::write(&file, companies(rows)).during(file.display())?;
    let path = file.to_string_lossy();
    let before = count(stand)?;
    let started = machine::now();
    stand.pulso.command(&url, &["import", "companies", &path, "--tenant", "bench"])?;
    let seconds = started.elapsed().as_secs_f64();
    let made = count(stand)?.saturating_sub(before);
    if made != rows {
        return Err(format!("the import made {made} companies of {rows}"));
    }
    let mut table = Table::new(&["Import", "rows", "seconds", "rows/s"]);
    let rate = figure(rows as f64 / seconds);
    table.row(vec!["companies".to_owned(), rows.to_string(), figure(seconds), rate]);
    table.print();
    Ok(Some(seconds))
}

fn count(stand: &Stand) -> Outcome<u64> {
    let statement =
        format!("select count(*) from companies where tenant_id = '{}'", stand.tenant_id);
    stand.postgres.query(&statement)?.parse().during("count of companies")
}

/// A file as people send it: names, towns and outside ids.
fn companies(rows: u64) -> String {
    let mut text = "external_system,external_id,name,trade_name,segment,address_city,\
                    address_state,currency\n"
        .to_owned();
    for row in 1..=rows {
        // Writing into a text cannot fail.
        writeln!(
            text,
            "erp,{row},Importação {row} Comércio Ltda,Loja {row},varejo,São Paulo,SP,BRL"
        )
        .unwrap_or_default();
    }
    text
}
