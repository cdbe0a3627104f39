//! `noisy`: what a tenant that asks for everything at once does to another one's waiting.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::load::{Round, Work, drive};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::pulso;
use crate::queries::{LIST, LIST_PREFIX};
use crate::report::{Bound, Budget, Table, Verdict, figure, heading, judge, median};
use crate::stand::{NEIGHBOUR, Size, Stand};

/// The quiet tenant is one person who reads page after page.
const QUIET_CONNECTIONS: usize = 1;
/// What the noisy tenant asks for: the same page, and one ten times as long.
const NOISES: [(&str, u64); 2] = [("the same page", 50), ("pages of 500", 500)];

/// One kind of noise, and what it did in each round.
struct Trial {
    name: String,
    noise: Arc<Work>,
    alone: Vec<Round>,
    beside: Vec<Round>,
    noise_rates: Vec<f64>,
}

pub(crate) async fn run(options: &Options) -> Outcome<Verdict> {
    let size = Size {
        users: 50,
        companies: options.scaled(20_000, 200),
        contacts: options.scaled(40_000, 400),
        leads: options.scaled(100_000, 5_000),
        deals: options.scaled(50_000, 2_500),
    };
    let stand = Stand::set_up(options, size)?;
    let url = stand.postgres.url();
    let arguments = ["admin", "key", "create", "--tenant", NEIGHBOUR, "--role", "comercial"];
    let noisy_key = stand.pulso.command(&url, &arguments)?.trim().to_owned();
    let server = stand.pulso.serve("pulso", &url)?;
    let quiet = page(&server, &stand.keys.seed, 50);
    let mut trials: Vec<Trial> = NOISES
        .iter()
        .map(|(name, rows)| Trial {
            name: format!("{} connections, {name}", options.connections),
            noise: page(&server, &noisy_key, *rows),
            alone: Vec::new(),
            beside: Vec::new(),
            noise_rates: Vec::new(),
        })
        .collect();

    let warm_up = Duration::from_secs(if options.quick { 1 } else { 5 });
    drive(&quiet, QUIET_CONNECTIONS, warm_up).await?;
    for number in 1..=options.rounds {
        for trial in &mut trials {
            trial.round(options, &quiet).await?;
            eprintln!("round {number}: {}", trial.name);
        }
    }
    let programs = [format!("PostgreSQL {}", stand.postgres.version())];
    heading("One noisy tenant", &programs);
    print(&trials);
    let budgets: Vec<Budget> = trials.iter().map(Trial::budget).collect();
    Ok(judge(&budgets, options.quick))
}

/// The nested page of `reads`, of so many rows.
fn page(server: &pulso::Running, key: &str, rows: u64) -> Arc<Work> {
    let query = LIST.replace("first: 50", &format!("first: {rows}"));
    let body = json!({ "query": query }).to_string();
    Arc::new(Work::new(server.target(key), &body, Arc::from([]), LIST_PREFIX))
}

impl Trial {
    /// The quiet tenant alone, and right after it beside the noise.
    async fn round(&mut self, options: &Options, quiet: &Arc<Work>) -> Outcome {
        self.alone.push(drive(quiet, QUIET_CONNECTIONS, options.round).await?);
        let (beside, noise) = tokio::join!(
            drive(quiet, QUIET_CONNECTIONS, options.round),
            drive(&self.noise, options.connections, options.round)
        );
        let noise = noise?;
        self.noise_rates.push(noise.requests() / noise.seconds);
        self.beside.push(beside?);
        Ok(())
    }

    fn ratio(&self) -> f64 {
        middle(&self.beside, 950) / middle(&self.alone, 950)
    }

    fn budget(&self) -> Budget {
        Budget {
            work: format!("p95 of the quiet tenant, beside {}", self.name),
            bound: Bound::AtMost(1.2),
            measured: Some(self.ratio()),
        }
    }
}

fn middle(rounds: &[Round], per_mille: usize) -> f64 {
    median(rounds.iter().map(|round| round.percentile_ms(per_mille)).collect())
}

fn print(trials: &[Trial]) {
    let mut table = Table::new(&[
        "The quiet tenant, beside",
        "p50 ms alone",
        "p50 ms beside",
        "p95 ms alone",
        "p95 ms beside",
        "p95 ratio",
        "noisy requests/s",
    ]);
    for trial in trials {
        table.row(vec![
            trial.name.clone(),
            figure(middle(&trial.alone, 500)),
            figure(middle(&trial.beside, 500)),
            figure(middle(&trial.alone, 950)),
            figure(middle(&trial.beside, 950)),
            figure(trial.ratio()),
            figure(median(trial.noise_rates.clone())),
        ]);
    }
    table.print();
}
