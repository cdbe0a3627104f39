//! `pulso migrate`: bring the database to this version, or back.

use clap::Subcommand;

use super::flags::CommandFlags;
use super::{Done, configured, connect, print};
use crate::clock::Clock;
use crate::db::{Db, migrate};

#[derive(Debug, Subcommand)]
pub(super) enum Step {
    /// Apply what is pending
    Up,
    /// Take back the last N steps
    Down {
        /// How many
        #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// List the steps and whether they are applied
    Status,
    /// Print the SQL that `up` would run
    DryRun,
}

pub(super) async fn run(flags: CommandFlags, step: Step) -> Done {
    let db = connect(&configured(flags)?).await?;
    let done = apply(&db, step).await;
    db.close().await;
    done
}

async fn apply(db: &Db, step: Step) -> Done {
    let connection = db.migration_connection();
    match step {
        Step::Up => say_done("applied", &db.migrate(Clock::system().now()).await?),
        Step::Down { steps } => say_done("reverted", &migrate::down(&connection, steps).await?),
        Step::Status => {
            for (name, applied) in migrate::status(&connection).await? {
                print(&format!("{:8} {name}", if applied { "applied" } else { "pending" }))?;
            }
            Ok(())
        }
        Step::DryRun => {
            let steps = migrate::dry_run(&connection).await?;
            if steps.is_empty() {
                return print("-- nothing is pending");
            }
            for (name, statements) in steps {
                print(&format!("-- {name}"))?;
                for statement in statements {
                    print(&format!("{};", statement.trim_end().trim_end_matches(';')))?;
                }
            }
            Ok(())
        }
    }
}

fn say_done(verb: &str, names: &[String]) -> Done {
    if names.is_empty() {
        return print("nothing to do");
    }
    for name in names {
        print(&format!("{verb} {name}"))?;
    }
    Ok(())
}
