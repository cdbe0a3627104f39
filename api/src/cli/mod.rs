//! The command line. `pulso` alone is `pulso serve`. What a command prints goes to standard output,
//! logs and errors to standard error.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, or rows that an import refused.
//!
//! A new command is a variant of `Command` and an arm of `dispatch`.

pub mod admin;
pub mod bi_role;
mod demo;
mod doctor;
mod export;
mod flags;
mod goals;
mod grafana;
mod import;
mod migrate;
mod serve;
pub mod verify;
mod worker;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Problems};
use crate::db::{self, Db};
use crate::error::Error;
use crate::identity::signing_secret;
use flags::{CommandFlags, ServeFlags};

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// Room for the deepest request that the limits allow, also in an unoptimised build. Only what is
/// used takes memory.
const THREAD_STACK_BYTES: usize = 8 * 1024 * 1024;

/// How long a command's connections may take to close.
const ENDING: Duration = Duration::from_secs(5);

/// Pulso: a multi-tenant GraphQL server for CRM and analytics.
#[derive(Debug, Parser)]
#[command(name = "pulso", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(
    after_help = "Without a command, pulso serves. Every setting of `serve` is also a variable \
                        (PULSO_…) and a line in pulso.toml; see config.example.toml.\n\
                        Exit codes: 0 done, 1 failed, 2 wrong usage or configuration (import: refused rows)."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: ServeFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve GraphQL over HTTP and WebSocket (the default)
    Serve {
        #[command(flatten)]
        flags: ServeFlags,
    },
    /// Fold events and run jobs, apart from servers that do not (workers = false)
    Worker {
        #[command(flatten)]
        flags: CommandFlags,
    },
    /// Bring the database to this version, or back
    Migrate {
        #[command(flatten)]
        flags: CommandFlags,
        #[command(subcommand)]
        step: migrate::Step,
    },
    /// Manage tenants, users, API keys and roles
    Admin {
        #[command(flatten)]
        flags: CommandFlags,
        #[command(subcommand)]
        command: admin::Admin,
    },
    /// Fill a tenant with a year of invented sales; without --tenant, one made for it
    Demo {
        #[command(flatten)]
        flags: CommandFlags,
        #[command(flatten)]
        args: demo::DemoArgs,
    },
    /// Make records of CSV files, by a mapping; running it again changes nothing
    Import {
        #[command(flatten)]
        flags: CommandFlags,
        #[command(flatten)]
        args: import::ImportOrder,
    },
    /// Propose the goals of a year, and classify customers
    Goals {
        #[command(flatten)]
        flags: CommandFlags,
        #[command(subcommand)]
        command: goals::Goals,
    },
    /// Write dashboards for Grafana, made of the catalogue of metrics
    Grafana {
        #[command(flatten)]
        args: grafana::GrafanaArgs,
    },
    /// Write everything of one tenant into a file, as of one moment
    Export {
        #[command(flatten)]
        flags: CommandFlags,
        #[command(flatten)]
        args: export::ExportArgs,
    },
    /// Compute again what is sealed, and tell where it does not agree
    Verify {
        #[command(flatten)]
        flags: CommandFlags,
        #[command(subcommand)]
        what: verify::Verify,
    },
    /// Print the GraphQL schema
    Schema,
    /// Print the configuration (secrets redacted), the database's version and its migrations
    Doctor {
        /// Print the text of config.example.toml instead
        #[arg(long)]
        example: bool,
        #[command(flatten)]
        flags: CommandFlags,
    },
}

/// Why a command did not do what it should.
pub(crate) enum Failure {
    /// Wrong usage or configuration.
    Usage(String),
    Failed(String),
    /// Done, but for rows that an import refused.
    Refused(String),
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Usage(problems.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

pub(crate) type Done = Result<(), Failure>;

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are "errors" that print to standard output and succeed.
            let code = if error.use_stderr() { USAGE } else { 0 };
            return match error.print() {
                Ok(()) => ExitCode::from(code),
                Err(_closed) => ExitCode::from(FAILED),
            };
        }
    };
    // Two providers are compiled in by our dependencies; rustls wants to be told which one is ours.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return complain(FAILED, "a TLS provider was installed twice");
    }
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let runtime = match threads.enable_all().thread_stack_size(THREAD_STACK_BYTES).build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(FAILED, &format!("cannot start the runtime: {error}")),
    };
    let done = runtime.block_on(Box::pin(dispatch(cli)));
    // Blocking work that nobody waits for any more must not hold the process.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message) | Failure::Refused(message)) => complain(USAGE, &message),
        Err(Failure::Failed(message)) => complain(FAILED, &message),
    }
}

async fn dispatch(cli: Cli) -> Done {
    match cli.command {
        None => serve::run(cli.flags).await,
        Some(Command::Serve { flags }) => serve::run(flags).await,
        Some(Command::Worker { flags }) => worker::run(flags).await,
        Some(Command::Migrate { flags, step }) => migrate::run(flags, step).await,
        Some(Command::Admin { flags, command }) => {
            over(flags, async |app| Ok(admin::run(app, command).await?)).await
        }
        Some(Command::Demo { flags, args }) => demo::run(flags, args).await,
        Some(Command::Import { flags, args }) => {
            let prepared = args.prepare()?;
            over(flags, async |app| import::run(app, &prepared, args).await).await
        }
        Some(Command::Goals { flags, command }) => {
            over(flags, async |app| goals::run(app, command).await).await
        }
        Some(Command::Grafana { args }) => grafana::run(&args),
        Some(Command::Export { flags, args }) => {
            over(flags, async |app| export::run(app, args).await).await
        }
        Some(Command::Verify { flags, what }) => {
            over(flags, async |app| verify::run(app, what).await).await
        }
        Some(Command::Schema) => print(crate::graphql::Graphql::build()?.sdl().trim_end()),
        Some(Command::Doctor { example: true, .. }) => print(crate::config::example().trim_end()),
        Some(Command::Doctor { example: false, flags }) => doctor::run(flags).await,
    }
}

/// Runs a command over the App of its settings, and ends it well however the command ended.
async fn over(flags: CommandFlags, run: impl AsyncFnOnce(&Arc<App>) -> Done) -> Done {
    let app = open(flags).await?;
    let done = run(&app).await;
    app.stop(ENDING).await;
    done
}

/// The configuration, the database and the App of a command that is not `serve`: no background
/// work, and an error if migrations are pending.
pub(crate) async fn open(flags: CommandFlags) -> Result<Arc<App>, Failure> {
    let config = configured(flags)?;
    let db = connect(&config).await?;
    let app = build(config, db, Clock::system()).await?;
    // It may be the first to write in a month.
    app.db.ensure_partitions(app.clock.now()).await?;
    Ok(app)
}

/// Reads the configuration of a command and starts its logs.
fn configured(flags: CommandFlags) -> Result<Config, Failure> {
    let config = Config::load(&flags.into_sources())?;
    start_logging(&config)?;
    Ok(config)
}

fn start_logging(config: &Config) -> Done {
    crate::telemetry::start_logging(&config.log)
        .map_err(|error| Failure::Failed(format!("cannot start logging: {error}")))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    Ok(())
}

async fn connect(config: &Config) -> Result<Db, Failure> {
    let database = &config.database;
    Db::connect(database.url.reveal(), database.connections_max).await.map_err(|error| {
        let cause = error.internal_cause().unwrap_or("it was refused");
        Failure::Failed(format!("cannot open {}: {cause}", database.url))
    })
}

/// The App on a database that has all tables of this version.
async fn build(mut config: Config, db: Db, clock: Clock) -> Result<Arc<App>, Failure> {
    refuse_pending(&db).await?;
    signing_secret::complete(&mut config, &db, &clock).await?;
    Ok(App::build(config, db, clock)?)
}

async fn refuse_pending(db: &Db) -> Done {
    let pending = db::migrate::pending(&db.migration_connection()).await?;
    if pending.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "the database lacks {} migration(s) of this version ({}); run `pulso migrate up` or serve \
         with --migrate",
        pending.len(),
        pending.join(", ")
    )))
}

/// Prints a line; a reader that left (`pulso schema | head`) is not a failure.
pub(crate) fn print(text: &str) -> Done {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Failed(format!("cannot print: {error}"))),
    }
}

#[expect(clippy::print_stderr, reason = "this is how a command says that it failed")]
fn complain(code: u8, message: &str) -> ExitCode {
    eprintln!("pulso: {message}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
