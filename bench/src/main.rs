//! The benchmark program: measures Pulso beside its peers on one machine in one run, and judges the
//! ratios against the budgets. `docs/benchmarks.md` says how to run and read it.
//!
//! Everything it starts is its own, listens on loopback only, is ended by its process id, and is
//! gone at the end, however the end comes about.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is its purpose")]

mod access;
mod contest;
mod cpu;
mod durability;
mod events;
mod events_load;
mod goals;
mod http;
mod load;
mod machine;
mod noisy;
mod npm;
mod options;
mod outcome;
mod pages;
mod postgraphile;
mod postgres;
mod programs;
mod pulso;
mod queries;
mod reads;
mod report;
mod same;
mod search;
mod sqlite;
mod stand;
mod timing;
mod writes;

use std::process::ExitCode;

use options::{Benchmark, Options};
use outcome::{During as _, Outcome};
use report::Verdict;

fn main() -> ExitCode {
    if std::env::args().skip(1).any(|word| word == "--help" || word == "-h") {
        println!("{}", options::USAGE);
        return ExitCode::SUCCESS;
    }
    match Options::parse(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(Verdict::Kept) => ExitCode::SUCCESS,
        Ok(Verdict::Missed) => ExitCode::FAILURE,
        Ok(Verdict::Unmeasured) => ExitCode::from(3),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// One thread is enough to load a server, and leaves the others to it.
fn run(options: &Options) -> Outcome<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.during("the runtime")?.block_on(async {
        let work = async {
            match options.benchmark {
                Benchmark::Reads => reads::run(options).await,
                Benchmark::Pages => pages::run(options).await,
                Benchmark::Search => search::run(options).await,
                Benchmark::Writes => writes::run(options).await,
                Benchmark::Noisy => noisy::run(options).await,
                Benchmark::Access => access::run(options).await,
                Benchmark::Goals => goals::run(options).await,
                Benchmark::Events => events::run(options).await,
                Benchmark::Durability => durability::run(options).await,
            }
        };
        tokio::select! {
            outcome = work => outcome,
            () = told_to_end() => Err("told to end".to_owned()),
        }
    })
}

/// Returns on SIGINT or SIGTERM; what was started is then dropped, and so ended.
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
