//! `cargo xtask ci`: the steps, in the order in which they fail fastest. The first failure ends it.
//!
//! Tests, schema and binary share one debug build; only the release build is made beside it.

use std::process::{Command, Stdio};

use crate::postgres::{self, Cluster};
use crate::run::{Outcome, cargo, run, step};
use crate::{browser, npm, react_goals, schema, smoke};

pub(crate) fn run_all() -> Outcome {
    lint()?;
    let npm_folder = step("packages from npm", npm::install)?;
    let browser = browser::find_or_install();
    let page = step("the page in examples/react-goals", || Ok(react_goals::build()))?;
    let cluster = step("throw-away PostgreSQL", Cluster::for_tests)?;
    let tested = step("tests on SQLite and PostgreSQL", || {
        run(cargo(&["test", "--workspace"])
            .env(npm::FOLDER_VARIABLE, &npm_folder)
            .env(browser::TEST_BROWSER_VARIABLE, browser.unwrap_or_default())
            .env(react_goals::FOLDER_VARIABLE, page.unwrap_or_default())
            .env(postgres::TEST_URL_VARIABLE, cluster.url()))
    });
    cluster.stop()?;
    tested?;
    step("schema.graphql is what the server says", || schema::check(&schema::generate_as_built))?;
    step("dependencies", dependencies)?;
    step("release build", || run(cargo(&["build", "--release", "--package", "pulso"])))?;
    step("the release build starts, answers, restarts and stops", smoke::run_all)?;
    println!("\nAll checks passed.");
    Ok(())
}

/// What needs no running program: formatting, lints, documentation.
pub(crate) fn lint() -> Outcome {
    step("formatting", || run(cargo(&["fmt", "--all", "--check"])))?;
    step("lints", || {
        run(cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    step("documentation", || {
        run(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    })
}

/// Advisories, licences and banned crates: `deny.toml`.
fn dependencies() -> Outcome {
    let installed = Command::new("cargo-deny")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        println!("NOT RUN: cargo-deny is not installed (`cargo install cargo-deny --locked`)");
        return Ok(());
    }
    run(cargo(&["deny", "check"]))
}
