//! `cargo xtask`: everything that a contributor or the build machine runs, with no tool to install
//! first. Each command is one file; `main.rs` only knows their names.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks through its output"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "build commands read the environment and measure real time; nothing here is the product"
)]

mod apt;
mod browser;
mod ci;
mod http;
mod npm;
mod postgres;
mod react_goals;
mod run;
mod schema;
mod smoke;

use std::process::ExitCode;

use postgres::Cluster;
use run::{Outcome, cargo, run};

const HELP: &str = "\
cargo xtask COMMAND

  ci                 everything that must hold before a change lands, in one go
  test [ARGUMENTS]   all tests on SQLite and PostgreSQL; arguments go to `cargo test`
                     (`cargo xtask test policy` runs the tests with `policy` in their name)
  fmt                formats the sources
  lint               formatting, clippy and documentation, without tests
  schema [--check]   writes schema.graphql, or compares it with what the server says
  bench [ARGUMENTS]  the benchmark program, built for release; `bench --help` lists its parts
  db up              starts a throw-away PostgreSQL and prints how to use it
  db down            stops and removes it

Tests need PostgreSQL 15 or newer. Set PULSO_TEST_POSTGRES_URL to use a server of yours (its user
must be allowed to create databases); otherwise one is found or installed, started and removed.
Clients, audits and an identity provider come from npm, pinned by tests/npm, into the target folder.
A few need Chromium: PULSO_TEST_BROWSER names yours; otherwise it is found or installed too.
They also look at the page in examples/react-goals, which npm (Node 20.19 or newer) builds.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        ["ci"] => ci::run_all(),
        ["test", rest @ ..] => test(rest),
        ["fmt"] => run(cargo(&["fmt", "--all"])),
        ["lint"] => ci::lint(),
        ["schema"] => schema::write(),
        ["schema", "--check"] => schema::check(&schema::generate_with_cargo),
        ["bench", rest @ ..] => {
            run(cargo(&["run", "--release", "--package", "bench", "--"]).args(rest))
        }
        ["db", "up"] => postgres::up(),
        ["db", "down"] => postgres::down(),
        _ => Err(format!("unknown command: {}\n\n{HELP}", arguments.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn test(arguments: &[&str]) -> Outcome {
    let npm_folder = npm::install()?;
    let browser = browser::find_or_install();
    let page = react_goals::build();
    let cluster = Cluster::for_tests()?;
    let outcome = run(cargo(&["test", "--workspace"])
        .args(arguments)
        .env(npm::FOLDER_VARIABLE, npm_folder)
        .env(browser::TEST_BROWSER_VARIABLE, browser.unwrap_or_default())
        .env(react_goals::FOLDER_VARIABLE, page.unwrap_or_default())
        .env(postgres::TEST_URL_VARIABLE, cluster.url()));
    cluster.stop()?;
    outcome
}
