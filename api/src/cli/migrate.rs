//! `pulso migrate`: bring the database to this version, or back.

use clap::Subcommand;

use super::flags::CommandFlags;
use super::{Done, configured, connect, print};
use crate::clock::Clock;
use crate::db::migrate;

#[derive(Debug, Subcommand)]
pub(super) enum Step {
    /// Apply what is pending
    Up {
        #[command(flatten)]
        flags: CommandFlags,
    },
    /// Take back the last N steps
    Down {
        /// How many
        #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        #[command(flatten)]
        flags: CommandFlags,
    },
    /// List the steps and whether they are applied
    Status {
        #[command(flatten)]
        flags: CommandFlags,
    },
    /// Print the SQL that `up` would run
    DryRun {
        #[command(flatten)]
        flags: CommandFlags,
    },
}

pub(super) async fn run(step: Step) -> Done {
    match step {
        Step::Up { flags } => {
            let db = connect(&configured(flags)?).await?;
            let applied = db.migrate(Clock::system().now()).await?;
            db.close().await;
            say_done("applied", &applied)
        }
        Step::Down { steps, flags } => {
            let db = connect(&configured(flags)?).await?;
            let reverted = migrate::down(&db.migration_connection(), steps).await?;
            db.close().await;
            say_done("reverted", &reverted)
        }
        Step::Status { flags } => {
            let db = connect(&configured(flags)?).await?;
            let steps = migrate::status(&db.migration_connection()).await?;
            db.close().await;
            for (name, applied) in steps {
                print(&format!("{:8} {name}", if applied { "applied" } else { "pending" }))?;
            }
            Ok(())
        }
        Step::DryRun { flags } => {
            let db = connect(&configured(flags)?).await?;
            let steps = migrate::dry_run(&db.migration_connection()).await?;
            db.close().await;
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
