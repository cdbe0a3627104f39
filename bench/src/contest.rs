//! Several contenders measured by turns, so that a machine that slows down slows all of them.

use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::cpu;
use crate::load::{Round, Work, drive, sweep};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::programs::output;
use crate::report::{Table, figure, median};

/// One who is measured.
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) way: Way,
}

pub(crate) enum Way {
    /// Our load generator against a server.
    Http {
        work: Arc<Work>,
        /// The server's process; those below it count as well.
        server: u32,
        /// The database's first process, where there is one.
        database: Option<u32>,
        connections: usize,
    },
    /// The same, each id once in a pass; `before` each pass something is done that does not count.
    Passes {
        before: Box<dyn Fn() -> Outcome>,
        work: Arc<Work>,
        server: u32,
        database: Option<u32>,
        connections: usize,
    },
    /// A run of `pgbench` for the given number of seconds.
    Pgbench(Box<dyn Fn(u64) -> Command>),
}

/// One round, or the medians of several.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Microseconds of processor time per request.
    pub(crate) server_us: f64,
    pub(crate) database_us: f64,
    /// What the load generator itself took, from the same processor.
    generator_us: f64,
}

/// Seconds of processor time.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    server: f64,
    database: f64,
    generator: f64,
}

impl Used {
    fn now(server: u32, database: Option<u32>) -> Outcome<Self> {
        Ok(Self {
            server: cpu::seconds(&[server])?,
            database: database.map_or(Ok(f64::NAN), |root| cpu::seconds(&[root]))?,
            generator: cpu::own_seconds()?,
        })
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            server: self.server - earlier.server,
            database: self.database - earlier.database,
            generator: self.generator - earlier.generator,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            server: self.server + other.server,
            database: self.database + other.database,
            generator: self.generator + other.generator,
        }
    }
}

impl Way {
    /// Runs `client` with `arguments` and the length of the round.
    pub(crate) fn pgbench(client: &Command, arguments: impl IntoIterator<Item = OsString>) -> Self {
        let program = client.get_program().to_owned();
        let environment: Vec<(OsString, OsString)> = client
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        Self::Pgbench(Box::new(move |seconds| {
            let mut command = Command::new(&program);
            command.envs(environment.iter().map(|(name, value)| (name, value)));
            command.args(&arguments).arg("-T").arg(seconds.to_string());
            command
        }))
    }
}

impl Figures {
    pub(crate) fn cpu_us(&self) -> f64 {
        self.server_us + self.database_us
    }

    fn of(round: &Round, used: Used) -> Self {
        let each = |seconds: f64| seconds * 1e6 / round.requests();
        Self {
            rate: round.requests() / round.seconds,
            p50_ms: round.percentile_ms(500),
            p99_ms: round.percentile_ms(990),
            server_us: each(used.server),
            database_us: each(used.database),
            generator_us: each(used.generator),
        }
    }

    fn medians(rounds: &[Self]) -> Self {
        let of = |field: fn(&Self) -> f64| median(rounds.iter().map(field).collect());
        Self {
            rate: of(|round| round.rate),
            p50_ms: of(|round| round.p50_ms),
            p99_ms: of(|round| round.p99_ms),
            server_us: of(|round| round.server_us),
            database_us: of(|round| round.database_us),
            generator_us: of(|round| round.generator_us),
        }
    }
}

/// Warms everyone up, measures by turns and prints the table; figures in the contenders' order.
pub(crate) async fn hold(
    title: &str,
    options: &Options,
    contenders: &[Contender],
) -> Outcome<Vec<Figures>> {
    let warm_up = if options.quick { Duration::from_secs(1) } else { Duration::from_secs(5) };
    for contender in contenders {
        contender.round(warm_up).await?;
    }
    let mut rounds: Vec<Vec<Figures>> = contenders.iter().map(|_| Vec::new()).collect();
    for number in 1..=options.rounds {
        for (contender, rounds) in contenders.iter().zip(&mut rounds) {
            let figures = contender.round(options.round).await?;
            eprintln!("round {number}: {} {}/s", contender.name, figure(figures.rate));
            rounds.push(figures);
        }
    }
    let medians: Vec<Figures> = rounds.iter().map(|rounds| Figures::medians(rounds)).collect();
    print(title, contenders, &medians, &rounds);
    Ok(medians)
}

fn print(title: &str, contenders: &[Contender], medians: &[Figures], rounds: &[Vec<Figures>]) {
    let mut table = Table::new(&[
        title,
        "requests/s",
        "lowest - highest round",
        "p50 ms",
        "p99 ms",
        "server CPU us",
        "database CPU us",
        "load generator CPU us",
    ]);
    for ((contender, median), rounds) in contenders.iter().zip(medians).zip(rounds) {
        let rates = || rounds.iter().map(|round| round.rate);
        let lowest = rates().fold(f64::INFINITY, f64::min);
        let highest = rates().fold(0.0, f64::max);
        table.row(vec![
            contender.name.clone(),
            figure(median.rate),
            format!("{} - {}", figure(lowest), figure(highest)),
            figure(median.p50_ms),
            figure(median.p99_ms),
            figure(median.server_us),
            figure(median.database_us),
            figure(median.generator_us),
        ]);
    }
    table.print();
}

impl Contender {
    async fn round(&self, duration: Duration) -> Outcome<Figures> {
        match &self.way {
            Way::Http { work, server, database, connections } => {
                let before = Used::now(*server, *database)?;
                let round = drive(work, *connections, duration).await?;
                let used = Used::now(*server, *database)?.since(before);
                Ok(Figures::of(&round, used))
            }
            Way::Passes { before, work, server, database, connections } => {
                let (mut all, mut used) = (Round::none(), Used::default());
                while all.seconds < duration.as_secs_f64() {
                    before()?;
                    let started = Used::now(*server, *database)?;
                    all = all.and(sweep(work, *connections).await?);
                    used = used.and(Used::now(*server, *database)?.since(started));
                }
                Ok(Figures::of(&all, used))
            }
            Way::Pgbench(command) => {
                let said = output(&mut command(duration.as_secs().max(1)))?;
                let rate = tps(&said).ok_or_else(|| format!("pgbench said: {said}"))?;
                let unknown = f64::NAN;
                Ok(Figures {
                    rate,
                    p50_ms: unknown,
                    p99_ms: unknown,
                    server_us: unknown,
                    database_us: unknown,
                    generator_us: unknown,
                })
            }
        }
    }
}

/// `tps = 2597.816 (without initial connection time)`
fn tps(said: &str) -> Option<f64> {
    let line = said.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split(' ').next()?.parse().ok()
}
