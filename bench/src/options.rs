//! What the command line says.

use std::path::PathBuf;
use std::time::Duration;

use crate::outcome::Outcome;

pub(crate) const USAGE: &str = "\
usage: bench <reads | pages | search | writes | noisy | access | goals | events |
             durability> [options]

  reads    nested list and single record beside PostGraphile, pgbench and SQLite
  pages    first page of every order and deep pages at 1,000,000 leads
  search   words in 100,000 contacts
  writes   one update beside pgbench -N; import
  noisy    one tenant's waiting beside another that asks for everything at once
  access   signing in, API keys beside access tokens, and the price of each row scope
  goals    the page of goals, warm and uncached, beside a Node service with node-cache
  events   letting events in beside COPY, folding them, and charts at two sizes of the log
  durability  kills servers at random moments while events come, and compares what is there

options
  --quick            little data, short rounds, budgets are printed but not judged
  --rounds N         rounds of each contender (default 3; of durability 200)
  --seconds N        length of a round (default 8)
  --connections N    keep-alive connections of the load generator (default 32)
  --events N         the smaller log of `events` (default 1000000); the larger has ten times as many
  --without-peer     leave the peers on Node out (its budgets count as not measured)
  --without-sqlite   leave SQLite out (its budgets count as not measured)
  --no-build         use the server as it was last built
  --server PATH      the server's binary (default: pulso beside this program)
  --keep             leave the databases and logs on disk and say where";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Benchmark {
    Reads,
    Pages,
    Search,
    Writes,
    Noisy,
    Access,
    Goals,
    Events,
    Durability,
}

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) benchmark: Benchmark,
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) round: Duration,
    pub(crate) connections: usize,
    /// Of the smaller log.
    pub(crate) events: u64,
    pub(crate) peer: bool,
    pub(crate) sqlite: bool,
    pub(crate) build: bool,
    pub(crate) server: Option<PathBuf>,
    pub(crate) keep: bool,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Outcome<Self> {
        let benchmark = match words.next().as_deref() {
            Some("reads") => Benchmark::Reads,
            Some("pages") => Benchmark::Pages,
            Some("search") => Benchmark::Search,
            Some("writes") => Benchmark::Writes,
            Some("noisy") => Benchmark::Noisy,
            Some("access") => Benchmark::Access,
            Some("goals") => Benchmark::Goals,
            Some("events") => Benchmark::Events,
            Some("durability") => Benchmark::Durability,
            Some(other) => return Err(format!("there is no benchmark {other}\n\n{USAGE}")),
            None => return Err(USAGE.to_owned()),
        };
        let (mut rounds, mut seconds) = (None, None);
        let mut options = Self {
            benchmark,
            quick: false,
            rounds: 0,
            round: Duration::ZERO,
            connections: 32,
            events: 1_000_000,
            peer: true,
            sqlite: true,
            build: true,
            server: None,
            keep: false,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => options.quick = true,
                "--rounds" => rounds = Some(number(&word, words.next())?),
                "--seconds" => seconds = Some(number(&word, words.next())?),
                "--connections" => options.connections = number(&word, words.next())?,
                "--events" => {
                    let events = number(&word, words.next())?;
                    options.events = u64::try_from(events).unwrap_or(u64::MAX);
                }
                "--without-peer" => options.peer = false,
                "--without-sqlite" => options.sqlite = false,
                "--no-build" => options.build = false,
                "--server" => options.server = words.next().map(PathBuf::from),
                "--keep" => options.keep = true,
                other => return Err(format!("there is no option {other}\n\n{USAGE}")),
            }
        }
        let usual = match (options.benchmark, options.quick) {
            (Benchmark::Durability, true) => 5,
            (Benchmark::Durability, false) => 200,
            (_, true) => 1,
            (_, false) => 3,
        };
        options.rounds = rounds.unwrap_or(usual);
        let seconds = seconds.unwrap_or(if options.quick { 1 } else { 8 });
        options.round = Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX));
        Ok(options)
    }

    /// `full` rows, or a hundredth of them (at least `least`) in a smoke run.
    pub(crate) fn scaled(&self, full: u64, least: u64) -> u64 {
        if self.quick { (full / 100).max(least) } else { full }
    }
}

fn number(option: &str, text: Option<String>) -> Outcome<usize> {
    let text = text.ok_or_else(|| format!("{option} wants a number"))?;
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{option} wants a positive number, not {text}")),
    }
}
