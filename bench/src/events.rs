//! `events`: letting events in through HTTP beside `COPY` into the same table, folding them, how soon
//! one is seen, and what a chart costs at two sizes of the log.

use std::process::Command;

use serde_json::json;

use crate::cpu;
use crate::events_load::{self, Accepted, Made};
use crate::http::Target;
use crate::machine;
use crate::options::Options;
use crate::outcome::{During as _, Outcome};
use crate::postgres::DATABASE;
use crate::programs::output;
use crate::report::{Bound, Budget, Table, Verdict, figure, heading, judge, median};
use crate::sqlite;
use crate::stand::{NEIGHBOUR, Size, Stand, settle};
use crate::timing::Asker;

const CONNECTIONS: [usize; 2] = [1, 8];
/// A hundred times what a customer expects: 10,000 a minute. PostgreSQL's budget, as those beside
/// `COPY` are: SQLite has one writer, who waits for the disk with every batch.
const LEAST_PER_SECOND: f64 = 16_667.0;

/// Charts of 30 days; the first is the one that has a budget.
const CHARTS: [(&str, &str); 3] = [
    ("by hour, three dimensions", "HOURLY, by: [\"channel\", \"org_unit\", \"agent\"], limit: 5"),
    ("by hour, all together", "HOURLY"),
    ("by day, one dimension", "DAILY, by: [\"channel\"]"),
];

/// A server and the database below it.
struct Side<'s> {
    name: &'static str,
    target: Target,
    server: u32,
    processes: Vec<u32>,
    /// Batches that wait to be folded.
    waiting: Box<dyn Fn() -> Outcome<u64> + 's>,
}

const WAITING: &str = "select count(*) from event_batches where state = 'queued'";

pub(crate) async fn run(options: &Options) -> Outcome<Verdict> {
    let size = Size { users: 20, companies: 200, contacts: 200, leads: 500, deals: 200 };
    let stand = Stand::set_up(options, size)?;
    heading("Events", &[format!("PostgreSQL {}", stand.postgres.version())]);
    let mut budgets = Vec::new();
    // What one tenant may cause in a minute would end the measurement.
    let free = ["KEY", "USER", "TENANT"].map(|who| format!("PULSO_RATE_{who}_PER_MINUTE"));
    let free: Vec<(&str, &str)> = free.iter().map(|name| (name.as_str(), "0")).collect();
    let server = stand.pulso.serve_with("pulso", &stand.postgres.url(), &free)?;
    let side = Side {
        name: "PostgreSQL",
        target: server.target(&stand.keys.admin),
        server: server.process_id(),
        processes: vec![server.process_id(), stand.postgres.process_id()],
        waiting: Box::new(|| stand.postgres.query(WAITING)?.parse().during("waiting batches")),
    };
    measure(&side, options, Some(&stand), &mut budgets).await?;
    drop(side);
    drop(server);
    if options.sqlite {
        let url = sqlite::copy(&stand)?;
        let server = stand.pulso.serve_with("pulso-sqlite", &url, &free)?;
        let file = stand.folder.path().join("copy.db");
        let side = Side {
            name: "SQLite",
            target: server.target(&stand.keys.admin),
            server: server.process_id(),
            processes: vec![server.process_id()],
            waiting: Box::new(|| {
                output(Command::new("sqlite3").arg(&file).arg(WAITING))?
                    .trim()
                    .parse()
                    .during("waiting batches")
            }),
        };
        measure(&side, options, None, &mut budgets).await?;
    }
    Ok(judge(&budgets, options.quick))
}

/// Everything on one database; `copy` where `COPY` stands beside it.
async fn measure(
    side: &Side<'_>,
    options: &Options,
    copy: Option<&Stand>,
    budgets: &mut Vec<Budget>,
) -> Outcome {
    let budget = |work: String, bound, measured| Budget {
        work: format!("{work}, {}", side.name),
        bound,
        measured: Some(measured),
    };
    let accepted = accept(side, options).await?;
    if let (Some(stand), Some(best)) = (copy, accepted.last()) {
        for (connections, round) in CONNECTIONS.iter().zip(&accepted) {
            let work = format!("events accepted a second, connections: {connections}");
            budgets.push(budget(work, Bound::AtLeast(LEAST_PER_SECOND), round.accepted_rate()));
        }
        let raw = copy_rate(stand, options)?;
        let ratio = best.accepted_rate() / raw;
        budgets.push(budget("accepted / COPY".to_owned(), Bound::AtLeast(0.5), ratio));
        let ratio = best.folded_rate() / raw;
        budgets.push(budget("folded / COPY".to_owned(), Bound::AtLeast(0.25), ratio));
    }
    let seen = events_load::until_seen(&side.target, options).await?;
    let mut table = Table::new(&["From sending to seeing, 2,000 events/s", "p50 ms", "p95 ms"]);
    table.row(vec![side.name.to_owned(), figure(seen.p50), figure(seen.p95)]);
    table.print();
    let work = "event to visible at 2,000 events/s, p95 ms".to_owned();
    budgets.push(budget(work, Bound::AtMost(1000.0), seen.p95));
    let (first, second) = charts(side, options, copy).await?;
    budgets.push(budget(
        "30 days by hour, three dimensions, p95 ms".to_owned(),
        Bound::AtMost(10.0),
        second,
    ));
    let work = "the same at ten times as many events, ratio".to_owned();
    budgets.push(budget(work, Bound::AtMost(1.2), second / first));
    let peak = machine::peak_megabytes(side.server)?;
    println!("\nThe server on {} used at most {} MB.", side.name, figure(peak));
    Ok(())
}

async fn accept(side: &Side<'_>, options: &Options) -> Outcome<Vec<Accepted>> {
    let head = format!("Batches of {} on {}", events_load::BATCH, side.name);
    let mut table = Table::new(&[
        &head,
        "connections",
        "accepted/s",
        "folded/s",
        "p50 ms",
        "p95 ms",
        "CPU us per event",
    ]);
    let mut rounds = Vec::new();
    for connections in CONNECTIONS {
        let made = Made { name: format!("live-{connections}"), days: 0 };
        let events = options.scaled(200_000, 10_000);
        let before = cpu::seconds(&side.processes)?;
        let round =
            events_load::send(&side.target, &made, events, connections, &side.waiting).await?;
        let used = (cpu::seconds(&side.processes)? - before) * 1e6 / events as f64;
        table.row(vec![
            format!("{events} events"),
            connections.to_string(),
            figure(round.accepted_rate()),
            figure(round.folded_rate()),
            figure(round.times.p50),
            figure(round.times.p95),
            figure(used),
        ]);
        rounds.push(round);
    }
    table.print();
    Ok(rounds)
}

/// Rows a second that `COPY` writes into the same table: the measured tenant's events once more, as
/// those of its neighbour.
fn copy_rate(stand: &Stand, options: &Options) -> Outcome<f64> {
    let columns = stand.postgres.query(
        "select string_agg(column_name, ', ' order by ordinal_position) \
         from information_schema.columns where table_schema = 'public' \
         and table_name = 'events' and column_name <> 'tenant_id'",
    )?;
    let neighbour =
        stand.postgres.query(&format!("select id from tenants where slug = '{NEIGHBOUR}'"))?;
    let file = stand.folder.path().join("events.copy");
    let (tenant, path) = (&stand.tenant_id, file.display());
    let psql = |statement: &str| stand.postgres.psql(DATABASE, &["-c", statement]);
    psql(&format!(
        "\\copy (select '{neighbour}', {columns} from events where tenant_id = '{tenant}' \
         and module = 'tickets') to '{path}'"
    ))?;
    let rows = std::fs::read_to_string(&file).during(file.display())?.lines().count();
    let mut table = Table::new(&["COPY into events", "rows", "rows/s", "CPU us per row"]);
    let database = [stand.postgres.process_id()];
    let mut rates = Vec::new();
    for round in 0..options.rounds {
        settle(&stand.postgres)?;
        let before = cpu::seconds(&database)?;
        let started = machine::now();
        psql(&format!("\\copy events (tenant_id, {columns}) from '{path}'"))?;
        let rate = rows as f64 / started.elapsed().as_secs_f64();
        let used = (cpu::seconds(&database)? - before) * 1e6 / rows as f64;
        let name = format!("round {}", round + 1);
        table.row(vec![name, rows.to_string(), figure(rate), figure(used)]);
        rates.push(rate);
        psql(&format!("delete from events where tenant_id = '{neighbour}'"))?;
    }
    table.print();
    Ok(median(rates))
}

/// Times charts at two sizes of the log; p95 of the first chart at each.
async fn charts(side: &Side<'_>, options: &Options, copy: Option<&Stand>) -> Outcome<(f64, f64)> {
    let small = if options.quick { options.events / 100 } else { options.events };
    let head = format!("Charts of 30 days on {}", side.name);
    let mut table = Table::new(&[&head, "events of the log", "rows", "p50 ms", "p95 ms"]);
    let mut slowest = Vec::new();
    let (now, mut there) = (machine::now_ms(), 0);
    for events in [small, small * 10] {
        let made = Made { name: format!("past-{events}"), days: 30 };
        events_load::send(&side.target, &made, events - there, 8, &side.waiting).await?;
        there = events;
        if let Some(stand) = copy {
            settle(&stand.postgres)?;
        }
        for (chart, how) in CHARTS {
            let query = format!(
                "{{ metricSeries(metrics: [\"tickets_created\"], from: {}, to: {now}, \
                 granularity: {how}) {{ nodes {{ time series value }} }} }}",
                now - 30 * events_load::DAY_MS
            );
            let mut asker = Asker::new(&side.target).await?;
            let asked = if options.quick { 10 } else { 50 };
            let (answer, times) = asker.repeat(&query, &json!({}), asked).await?;
            let rows = answer.pointer("/metricSeries/nodes").and_then(|rows| rows.as_array());
            let rows = rows.map_or(0, Vec::len).to_string();
            let (p50, p95) = (figure(times.p50), figure(times.p95));
            table.row(vec![chart.to_owned(), events.to_string(), rows, p50, p95]);
            if chart == CHARTS[0].0 {
                slowest.push(times.p95);
            }
        }
    }
    table.print();
    match slowest.as_slice() {
        [first, second] => Ok((*first, *second)),
        _ => Err("a chart was not timed".to_owned()),
    }
}
