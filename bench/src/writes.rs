//! `writes`: one update through HTTP beside `pgbench -N` on the same server, and the command that
//! imports companies, beside the same import once more, which finds nothing to change.

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
            measured: Some(import),
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

/// Seconds that the import takes.
fn import(stand: &Stand, options: &Options) -> Outcome<f64> {
    let rows = options.scaled(100_000, 1_000);
    let folder = stand.folder.path().join("import");
    let mapping = stand.folder.path().join("companies.toml");
    std::fs::create_dir(&folder).during(folder.display())?;
    std::fs::write(&mapping, MAPPING).during(mapping.display())?;
    let file = folder.join("companies.csv");
    std::fs::write(&file, companies(rows)).during(file.display())?;
    let (mapping, folder) = (mapping.to_string_lossy(), folder.to_string_lossy());
    let arguments = ["import", "--tenant", "bench", "--mapping", &mapping, &folder];
    let mut table = Table::new(&["Import of companies", "rows", "seconds", "rows/s"]);
    let (mut seconds, before) = (Vec::new(), count(stand)?);
    for name in ["first", "again"] {
        let started = machine::now();
        // Refused rows are a failure of the command.
        stand.pulso.command(&stand.postgres.url(), &arguments)?;
        let took = started.elapsed().as_secs_f64();
        let made = count(stand)?.saturating_sub(before);
        if made != rows {
            return Err(format!("the import, {name}: {made} companies of {rows}"));
        }
        let rate = figure(rows as f64 / took);
        table.row(vec![name.to_owned(), rows.to_string(), figure(took), rate]);
        seconds.push(took);
    }
    table.print();
    Ok(seconds.first().copied().unwrap_or(f64::NAN))
}

fn count(stand: &Stand) -> Outcome<u64> {
    let statement =
        format!("select count(*) from companies where tenant_id = '{}'", stand.tenant_id);
    stand.postgres.query(&statement)?.parse().during("count of companies")
}

/// A mapping as people write it: with a check digit to look at, and numbers as Brazilians write them.
const MAPPING: &str = r#"
system = "erp"
delimiter = ";"

[maps.segment]
"Comércio varejista" = "varejo"

[[step]]
name = "companies"
file = "companies.csv"
record = "Company"

[step.fields]
externalId = "code"
name = "name"
tradeName = "trade name"
cnpj = "cnpj"
segment = { column = "segment", map = "segment" }
addressCity = { column = "city", case = "title" }
addressState = "state"
annualRevenue = { column = "revenue", decimal = ",", grouping = "." }

[step.fields.metadata.json]
since = { column = "since", as = "date", date = "%d/%m/%Y" }
"#;

/// A file as people send it: names, towns, tax numbers and outside ids.
fn companies(rows: u64) -> String {
    let mut text = "code;name;trade name;cnpj;segment;city;state;revenue;since\n".to_owned();
    for row in 1..=rows {
        let cnpj = cnpj(row);
        // Writing into a text cannot fail.
        writeln!(
            text,
            "{row};Importação {row} Comércio Ltda;Loja {row};{cnpj};Comércio varejista;SÃO PAULO;\
             SP;1.234.567,{:02};03/05/2011",
            row % 100
        )
        .unwrap_or_default();
    }
    text
}

/// The CNPJ of a number, with its check digits.
fn cnpj(number: u64) -> String {
    let base = format!("{number:08}0001");
    let mut digits: Vec<u64> = base.bytes().map(|digit| u64::from(digit - b'0')).collect();
    for _ in 0..2 {
        let weighed =
            digits.iter().rev().zip((2..=9).cycle()).map(|(digit, weight)| digit * weight);
        let rest = weighed.sum::<u64>() % 11;
        digits.push(if rest < 2 { 0 } else { 11 - rest });
    }
    digits.iter().map(u64::to_string).collect()
}
