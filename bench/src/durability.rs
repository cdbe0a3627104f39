//! `durability`: servers and workers are killed at random moments while events come, and at the end the log and
//! the snapshots are compared with what was acknowledged. Not a measurement: it passes, or something
//! was lost, or counted twice.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::events_load::{self, Made};
use crate::http::{Connection, Target};
use crate::machine;
use crate::options::Options;
use crate::outcome::{During as _, Outcome};
use crate::programs::output;
use crate::report::{Table, Verdict, heading};
use crate::sqlite;
use crate::stand::{Size, Stand, TENANT};
use crate::timing::Asker;

/// Events of one request: small ones, so that many are on their way when the end comes.
const BATCH: u64 = 20;
const CONNECTIONS: usize = 6;
/// A server lives for some part of this.
const LIFE_MS: u64 = 700;
/// Snapshots are compared with the log this often, and at the end.
const VERIFIED_EVERY: usize = 25;
/// How long what waits may take to be folded.
const FOLDED_WITHIN: Duration = Duration::from_secs(120);
const NAME: &str = "kill";

/// Answers a statement with its rows, cells divided by `|`.
type Query<'s> = Box<dyn Fn(&str) -> Outcome<String> + 's>;

/// A database, and what can be asked of it.
struct Side<'s> {
    name: &'static str,
    url: String,
    query: Query<'s>,
    /// Whether a worker of its own folds beside the server: SQLite is one process's.
    has_worker: bool,
}

/// What was sent, by batches.
struct Sent {
    made: Made,
    now_ms: u64,
    next: u64,
    acknowledged: HashSet<u64>,
    /// Without an answer: to be sent again.
    open: Vec<u64>,
    broken: u64,
    /// Events that an earlier request had brought in though its answer never came.
    duplicates: u64,
}

impl Sent {
    fn new() -> Self {
        Self {
            made: Made { name: NAME.to_owned(), days: 1 },
            now_ms: machine::now_ms(),
            next: 0,
            acknowledged: HashSet::new(),
            open: Vec::new(),
            broken: 0,
            duplicates: 0,
        }
    }

    /// A new batch, or now and then one that had no answer.
    fn take(&mut self) -> u64 {
        if self.next.is_multiple_of(3)
            && let Some(batch) = self.open.pop()
        {
            return batch;
        }
        let batch = self.next;
        self.next += 1;
        batch
    }
}

pub(crate) async fn run(options: &Options) -> Outcome<Verdict> {
    let size = Size { users: 5, companies: 10, contacts: 10, leads: 10, deals: 10 };
    let stand = Stand::set_up(options, size)?;
    heading("Durability", &[format!("PostgreSQL {}", stand.postgres.version())]);
    let postgres = Side {
        name: "PostgreSQL",
        url: stand.postgres.url(),
        query: Box::new(|statement| stand.postgres.query(statement)),
        has_worker: true,
    };
    let mut sides = vec![postgres];
    if options.sqlite {
        let url = sqlite::copy(&stand)?;
        let file = stand.folder.path().join("copy.db");
        sides.push(Side {
            name: "SQLite",
            url,
            query: Box::new(move |statement| {
                Ok(output(Command::new("sqlite3").arg(&file).arg(statement))?.trim().to_owned())
            }),
            has_worker: false,
        });
    }
    let mut table = Table::new(&[
        "Database",
        "servers killed",
        "workers killed",
        "batches of 20 acknowledged",
        "broken off",
        "events sent again and known",
        "events there once",
        "snapshots",
    ]);
    for side in &sides {
        table.row(kill_again_and_again(&stand, side, options.rounds).await?);
    }
    table.print();
    Ok(Verdict::Kept)
}

async fn kill_again_and_again(
    stand: &Stand,
    side: &Side<'_>,
    rounds: usize,
) -> Outcome<Vec<String>> {
    let free = ["KEY", "USER", "TENANT"].map(|who| format!("PULSO_RATE_{who}_PER_MINUTE"));
    let free: Vec<(&str, &str)> = free.iter().map(|name| (name.as_str(), "0")).collect();
    let sent = Rc::new(RefCell::new(Sent::new()));
    let mut random = Random(sent.borrow().now_ms | 1);
    let mut workers_killed = 0;
    let mut worker =
        if side.has_worker { Some(stand.pulso.work("worker", &side.url)?) } else { None };
    for round in 1..=rounds {
        // Where there is a worker, every other server leaves all the folding to it.
        let folds = !side.has_worker || round % 2 == 0;
        let mut settings = free.clone();
        settings.push(("PULSO_WORKERS", if folds { "true" } else { "false" }));
        let mut server = stand.pulso.serve_with("server", &side.url, &settings)?;
        let target = server.target(&stand.keys.admin);
        let load = LocalSet::new();
        for _connection in 0..CONNECTIONS {
            load.spawn_local(keep_sending(target.clone(), Rc::clone(&sent)));
        }
        let (first_part, rest) = (random.below(LIFE_MS / 2), random.below(LIFE_MS / 2));
        let worker_dies = worker.is_some() && random.below(2) == 0;
        load.run_until(async {
            tokio::time::sleep(Duration::from_millis(first_part)).await;
            if worker_dies && let Some(worker) = &mut worker {
                worker.kill()?;
                workers_killed += 1;
            }
            tokio::time::sleep(Duration::from_millis(rest)).await;
            server.kill()
        })
        .await?;
        // Whoever waits for an answer hears now that there will be none.
        load.await;
        if worker_dies {
            worker = Some(stand.pulso.work("worker", &side.url)?);
        }
        if round % VERIFIED_EVERY == 0 {
            analyze(side)?;
            verify(stand, side)?;
            println!("{}: {round} of {rounds} rounds", side.name);
        }
    }
    let server = stand.pulso.serve_with("server", &side.url, &free)?;
    let target = server.target(&stand.keys.admin);
    send_what_is_open(&target, &sent).await?;
    wait_until_folded(side).await?;
    analyze(side)?;
    let sent = std::mem::replace(&mut *sent.borrow_mut(), Sent::new());
    let there = compare(side, &sent)?;
    compare_with_answer(&target, side, &sent).await?;
    let verified = verify(stand, side)?;
    Ok(vec![
        side.name.to_owned(),
        rounds.to_string(),
        if side.has_worker { workers_killed.to_string() } else { "-".to_owned() },
        sent.acknowledged.len().to_string(),
        sent.broken.to_string(),
        sent.duplicates.to_string(),
        there.to_string(),
        verified,
    ])
}

/// Sends batch after batch until the server is gone.
async fn keep_sending(target: Target, sent: Rc<RefCell<Sent>>) {
    let Ok(mut connection) = Connection::open(target.address).await else { return };
    loop {
        let batch = sent.borrow_mut().take();
        let outcome = send(&mut connection, &target, &sent, batch).await;
        let mut sent = sent.borrow_mut();
        match outcome {
            Ok(()) => drop(sent.acknowledged.insert(batch)),
            Err(_gone) => {
                sent.broken += 1;
                sent.open.push(batch);
                return;
            }
        }
    }
}

/// Sends one batch; all of it must be taken, now or by an earlier request that was broken off.
async fn send(
    connection: &mut Connection,
    target: &Target,
    sent: &RefCell<Sent>,
    batch: u64,
) -> Outcome {
    let body = sent.borrow().made.body(batch * BATCH..(batch + 1) * BATCH, sent.borrow().now_ms);
    let mut request = target.head_to("/v1/events", "application/x-ndjson", body.len()).into_bytes();
    request.extend_from_slice(&body);
    let answer = connection.exchange(&request).await?;
    let said: Value = serde_json::from_slice(answer.body).during("answer to events")?;
    let count = |name: &str| said.get(name).and_then(Value::as_u64).unwrap_or_default();
    if answer.status != 202 || count("accepted") + count("duplicates") != BATCH {
        return Err(format!("events were not accepted: {} {said}", answer.status));
    }
    sent.borrow_mut().duplicates += count("duplicates");
    Ok(())
}

/// What was broken off is sent again, as a client would: half of it may be there already.
async fn send_what_is_open(target: &Target, sent: &RefCell<Sent>) -> Outcome {
    let mut connection = Connection::open(target.address).await?;
    let open = std::mem::take(&mut sent.borrow_mut().open);
    for batch in open {
        send(&mut connection, target, sent, batch).await?;
        sent.borrow_mut().acknowledged.insert(batch);
    }
    Ok(())
}

async fn wait_until_folded(side: &Side<'_>) -> Outcome {
    let started = machine::now();
    let waiting = "select count(*) from event_batches where state <> 'processed'";
    while (side.query)(waiting)?.trim() != "0" {
        if started.elapsed() > FOLDED_WITHIN {
            return Err(format!("{}: events wait that nobody folds", side.name));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Every acknowledged event is in the log, once, and nothing else is; how many there are.
fn compare(side: &Side<'_>, sent: &Sent) -> Outcome<usize> {
    let rows = (side.query)(&format!(
        "select i.id, count(e.id) from event_ids i left join events e \
         on e.tenant_id = i.tenant_id and e.id = i.event_id where i.id like '{NAME}-%' group by i.id"
    ))?;
    let mut there = HashSet::new();
    for row in rows.lines() {
        let (id, count) = row.split_once('|').ok_or("a row of two cells")?;
        if count != "1" {
            return Err(format!("{}: event {id} is in the log {count} times", side.name));
        }
        there.insert(id.to_owned());
    }
    let numbers = sent.acknowledged.iter().flat_map(|batch| batch * BATCH..(batch + 1) * BATCH);
    let mut expected = 0_usize;
    for number in numbers {
        expected += 1;
        if !there.contains(&format!("{NAME}-{number}")) {
            return Err(format!("{}: event {number} was acknowledged and is lost", side.name));
        }
    }
    let logged = (side.query)("select count(*) from events where event_type like 'ticket.%'")?;
    if there.len() != expected || logged.trim() != expected.to_string() {
        let found = there.len();
        return Err(format!("{}: {expected} sent, {found} known, {logged} logged", side.name));
    }
    Ok(expected)
}

/// The numbers that are answered are those of the events that were sent: a quarter of them each.
async fn compare_with_answer(target: &Target, side: &Side<'_>, sent: &Sent) -> Outcome {
    let query = format!(
        "{{ metricSeries(metrics: [\"tickets_created\", \"tickets_resolved\", \
         \"first_response_time.count\"], from: {}, to: {}, granularity: MONTHLY) {{ nodes {{ metric value }} }} }}",
        sent.now_ms - 2 * events_load::DAY_MS,
        sent.now_ms + events_load::DAY_MS,
    );
    let (answer, _) = Asker::new(target).await?.ask(&query, &json!({})).await?;
    let rows = answer.pointer("/metricSeries/nodes").and_then(Value::as_array);
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for row in rows.ok_or("no rows")? {
        let metric = row.get("metric").and_then(Value::as_str).unwrap_or_default();
        *sums.entry(metric).or_default() +=
            row.get("value").and_then(Value::as_f64).unwrap_or(f64::NAN);
    }
    // Of four events in a row of a batch one is created, one answered and one resolved, by fours.
    for (metric, kind) in
        [("tickets_created", 0), ("first_response_time.count", 1), ("tickets_resolved", 2)]
    {
        let numbers = sent.acknowledged.iter().flat_map(|batch| batch * BATCH..(batch + 1) * BATCH);
        let expected = numbers.filter(|number| number / 4 % 4 == kind).count();
        let answered = sums.get(metric).copied().unwrap_or_default();
        if answered != expected as f64 {
            return Err(format!("{}: {metric} is {answered}, and {expected} were sent", side.name));
        }
    }
    Ok(())
}

/// Tells the planner how large the tables are: autovacuum, which does it elsewhere, is off here.
fn analyze(side: &Side<'_>) -> Outcome {
    (side.query)("analyze").map(drop)
}

/// `pulso verify snapshots`: what it says of the tenant.
fn verify(stand: &Stand, side: &Side<'_>) -> Outcome<String> {
    let said = stand.pulso.command(&side.url, &["verify", "snapshots", "--tenant", TENANT])?;
    Ok(said.trim().trim_start_matches(&format!("{TENANT}: ")).to_owned())
}

/// A xorshift: which moments are chosen does not matter, only that they differ.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
