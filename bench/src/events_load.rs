//! Events made up, sent in batches, and waited for.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::http::{Connection, Target};
use crate::machine;
use crate::options::Options;
use crate::outcome::{During as _, Outcome};
use crate::timing::{Asker, Times};

/// Events of one request.
pub(crate) const BATCH: u64 = 500;
/// Events that are made before they are sent.
const AT_ONCE: u64 = 200_000;
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const MINUTE_MS: u64 = 60 * 1000;

/// How long an event may take to be seen before the run has failed.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// Events of one kind: what their ids begin with, and the days that they are spread over (the last
/// minute for none: they come as they happen).
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) days: u64,
}

/// How events were taken.
pub(crate) struct Accepted {
    events: u64,
    seconds: f64,
    /// Until the last one was folded.
    folded: f64,
    /// Of single requests.
    pub(crate) times: Times,
}

impl Accepted {
    pub(crate) fn accepted_rate(&self) -> f64 {
        self.events as f64 / self.seconds
    }

    pub(crate) fn folded_rate(&self) -> f64 {
        self.events as f64 / self.folded
    }
}

impl Made {
    /// A batch as a body: tickets of four channels, five units and twenty agents, with a sentence in
    /// each for the detectors to look at.
    pub(crate) fn body(&self, events: std::ops::Range<u64>, now_ms: u64) -> Vec<u8> {
        let mut text = String::with_capacity(200_000);
        let span = if self.days == 0 { MINUTE_MS } else { self.days * DAY_MS };
        for number in events {
            // A multiplicative step visits the whole span without a pattern that a cache would like.
            let ago = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % span;
            let (channel, agent) = (number % 4, number / 16 % 20);
            let kind = match number / 4 % 4 {
                0 => "created",
                1 => "first_reply",
                2 => "resolved",
                _ => "updated",
            };
            // Writing into a text cannot fail.
            writeln!(
                text,
                "{{\"id\":\"{}-{number}\",\"module\":\"tickets\",\"eventType\":\"ticket.{kind}\",\
                 \"occurredAt\":{},\"payload\":{{\"ticketId\":\"t-{}\",\"priority\":\"high\",\
                 \"note\":\"o cliente pediu retorno sobre o pedido {number}\",\"responseSec\":{},\
                 \"handleSec\":{}}},\"dimensions\":{{\"channel\":\"channel {channel}\",\
                 \"org_unit\":\"unit {}\",\"agent\":\"agent {agent}\"}}}}",
                self.name,
                now_ms - ago,
                number / 4,
                number % 3_000,
                number % 90_000,
                agent / 4,
            )
            .unwrap_or_default();
        }
        text.into_bytes()
    }
}

/// Sends a body to `/v1/events`; all of it must be accepted.
async fn post(connection: &mut Connection, target: &Target, body: &[u8], events: u64) -> Outcome {
    let mut request = target.head_to("/v1/events", "application/x-ndjson", body.len()).into_bytes();
    request.extend_from_slice(body);
    let answer = connection.exchange(&request).await?;
    let said: Value = serde_json::from_slice(answer.body).during("answer to events")?;
    if answer.status == 202 && said.get("accepted").and_then(Value::as_u64) == Some(events) {
        return Ok(());
    }
    let short: String = said.to_string().chars().take(300).collect();
    Err(format!("events were not accepted: {} {short}", answer.status))
}

/// Sends events as fast as they are taken, and waits until all are folded. Bodies are made before the
/// clock starts, as far as memory is not strained by it.
pub(crate) async fn send(
    target: &Target,
    made: &Made,
    events: u64,
    connections: usize,
    waiting: &dyn Fn() -> Outcome<u64>,
) -> Outcome<Accepted> {
    let (mut seconds, mut times, mut sent) = (0.0, Vec::new(), 0);
    let mut last = machine::now();
    while sent < events {
        let until = events.min(sent + AT_ONCE);
        let now = machine::now_ms();
        let mut bodies = VecDeque::new();
        while sent < until {
            let to = until.min(sent + BATCH);
            bodies.push_back((made.body(sent..to, now), to - sent));
            sent = to;
        }
        last = machine::now();
        times.extend(drive(target, bodies, connections).await?);
        seconds += last.elapsed().as_secs_f64();
    }
    while waiting()? > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let folded = if events <= AT_ONCE { last.elapsed().as_secs_f64() } else { f64::NAN };
    Ok(Accepted { events, seconds, folded, times: Times::of(times) })
}

/// Microseconds of each request.
async fn drive(
    target: &Target,
    bodies: VecDeque<(Vec<u8>, u64)>,
    connections: usize,
) -> Outcome<Vec<u64>> {
    let bodies = Rc::new(std::cell::RefCell::new(bodies));
    let local = LocalSet::new();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (bodies, target) = (Rc::clone(&bodies), target.clone());
        tasks.push(local.spawn_local(async move {
            let mut connection = Connection::open(target.address).await?;
            let mut times = Vec::new();
            loop {
                let next = bodies.borrow_mut().pop_front();
                let Some((body, events)) = next else { return Outcome::Ok(times) };
                let started = machine::now();
                post(&mut connection, &target, &body, events).await?;
                times.push(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
            }
        }));
    }
    local.await;
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.during("a sender")??);
    }
    Ok(times)
}

/// How long it takes from sending one event to seeing it in a chart, while 2,000 others come each
/// second.
pub(crate) async fn until_seen(target: &Target, options: &Options) -> Outcome<Times> {
    let load = async {
        let made = Made { name: "steady".to_owned(), days: 0 };
        let mut connection = Connection::open(target.address).await?;
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        for number in 0_u64.. {
            ticks.tick().await;
            let body = made.body(number * 100..(number + 1) * 100, machine::now_ms());
            post(&mut connection, target, &body, 100).await?;
        }
        Outcome::Ok(())
    };
    let probes = async {
        let mut times = Vec::new();
        let started = machine::now();
        let least = if options.quick { 5 } else { 50 };
        while times.len() < least || started.elapsed() < options.round {
            times.push(one_seen(target, times.len()).await?);
        }
        Outcome::Ok(times)
    };
    tokio::select! {
        loaded = load => Err(loaded.err().unwrap_or_else(|| "the load ended".to_owned())),
        times = probes => Ok(Times::of(times?)),
    }
}

/// Microseconds until an event of its own channel is seen.
async fn one_seen(target: &Target, number: usize) -> Outcome<u64> {
    let now = machine::now_ms();
    let channel = format!("probe {now} {number}");
    let event = json!({ "id": channel, "module": "tickets", "eventType": "csat.answered",
        "occurredAt": now, "payload": { "score": 5 }, "dimensions": { "channel": channel } });
    let query = format!(
        "{{ metricSeries(metrics: [\"csat_answers\"], from: {}, granularity: HOURLY, \
         only: {{ channel: [\"{channel}\"] }}) {{ nodes {{ value }} }} }}",
        now - HOUR_MS
    );
    let mut connection = Connection::open(target.address).await?;
    let mut asker = Asker::new(target).await?;
    let started: Instant = machine::now();
    post(&mut connection, target, event.to_string().as_bytes(), 1).await?;
    loop {
        let (data, _) = asker.ask(&query, &json!({})).await?;
        let rows = data.pointer("/metricSeries/nodes").and_then(Value::as_array);
        if rows.is_some_and(|rows| rows.iter().any(|row| row["value"].as_f64() > Some(0.0))) {
            return Ok(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        if started.elapsed() > SEEN_WITHIN {
            return Err("an event was not seen in half a minute".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
