//! `pulso serve`: open the port and the database, say once how to get in, serve, end well.

use std::future::Future;
use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::flags::ServeFlags;
use super::{Done, Failure, build, connect, print, start_logging};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Demo};
use crate::demo;
use crate::http::server;
use crate::identity::demo::DemoCredentials;

/// Where there is no person waiting at a terminal, load balancers need a moment to look elsewhere.
const GRACE_UNATTENDED_MS: u64 = 5_000;

pub(super) async fn run(flags: ServeFlags) -> Done {
    let config = Config::load(&flags.into_sources())?;
    start_logging(&config)?;
    // First the port: a second server on it must not touch the database.
    let listener = listen(&config).await?;
    let (app, credentials) = open(config).await?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::Failed(format!("cannot tell the address: {error}")))?;
    let url = url_of(address);
    tracing::info!(%url, database = %app.config.database.url, "serving");
    print(&welcome(&url, credentials.as_ref()))?;
    app.start();

    let grace =
        Duration::from_millis(app.config.server.shutdown_grace_ms.unwrap_or_else(|| {
            if std::io::stdin().is_terminal() { 0 } else { GRACE_UNATTENDED_MS }
        }));
    let (first, second) = signals()?;
    let served = tokio::select! {
        served = server::serve(app, listener, first, after(grace)) => served,
        () = second => return Err(Failure::Failed("stopped at once by a second signal".to_owned())),
    };
    served.map_err(|error| Failure::Failed(format!("the server failed: {error}")))
}

/// Begins to wait when it is first asked, which is at the signal.
async fn after(grace: Duration) {
    tokio::time::sleep(grace).await;
}

async fn listen(config: &Config) -> Result<TcpListener, Failure> {
    let (host, port) = (config.server.host.as_str(), config.server.port);
    TcpListener::bind((host.trim_matches(['[', ']']), port)).await.map_err(|error| {
        let why = if error.kind() == ErrorKind::AddrInUse {
            "the port is in use; choose another with --port or PULSO_PORT".to_owned()
        } else if error.kind() == ErrorKind::PermissionDenied {
            "this user may not open it; choose one above 1023 with --port".to_owned()
        } else {
            error.to_string()
        };
        Failure::Failed(format!("cannot listen on {host}:{port}: {why}"))
    })
}

/// Database, migrations, App, and the demo tenant of an empty installation.
async fn open(config: Config) -> Result<(Arc<App>, Option<DemoCredentials>), Failure> {
    let db = connect(&config).await?;
    let clock = Clock::system();
    if config.database.migrates_at_start() {
        let applied = db.migrate(clock.now()).await?;
        if !applied.is_empty() {
            tracing::info!(steps = applied.len(), "the database was brought to this version");
        }
    }
    let app = build(config, db, clock).await?;
    let database = &app.config.database;
    let credentials = if database.demo == Demo::Auto && database.url.is_embedded() {
        demo::create_if_empty(&app).await?
    } else {
        None
    };
    Ok((app, credentials))
}

/// The address as a browser on this machine would write it.
fn url_of(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        return format!("http://localhost:{}", address.port());
    }
    format!("http://{address}")
}

/// What a person needs to begin; the demo's secrets are shown here and nowhere again.
fn welcome(url: &str, credentials: Option<&DemoCredentials>) -> String {
    let mut text = format!(
        "\n  Pulso is serving\n\n    GraphQL   {url}/graphql\n    Schema    {url}/schema.graphql\n"
    );
    if let Some(demo) = credentials {
        text.push_str(&format!(
            "\n  A demo tenant was made, because the database was empty. Shown only this once:\n\n\
             {}\n    curl {url}/graphql -H 'Authorization: Bearer {}' \\\n      \
             -H 'Content-Type: application/json' -d '{{\"query\":\"{{ me {{ user {{ fullName }} }} }}\"}}'\n",
            super::demo::shown(demo),
            demo.api_key
        ));
    }
    text
}

/// The first and the second request to stop (SIGTERM or SIGINT).
#[cfg(unix)]
pub(super) fn signals() -> Result<
    (impl Future<Output = ()> + Send + 'static, impl Future<Output = ()> + Send + 'static),
    Failure,
> {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    let open = |kind: SignalKind| {
        signal(kind).map_err(|error| Failure::Failed(format!("cannot listen to signals: {error}")))
    };
    async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    // Every listener hears every signal.
    let (mut terminate, mut interrupt) =
        (open(SignalKind::terminate())?, open(SignalKind::interrupt())?);
    let first = async move { either(&mut terminate, &mut interrupt).await };
    let (mut terminate, mut interrupt) =
        (open(SignalKind::terminate())?, open(SignalKind::interrupt())?);
    let second = async move {
        either(&mut terminate, &mut interrupt).await;
        either(&mut terminate, &mut interrupt).await;
    };
    Ok((first, second))
}

#[cfg(not(unix))]
pub(super) fn signals() -> Result<
    (impl Future<Output = ()> + Send + 'static, impl Future<Output = ()> + Send + 'static),
    Failure,
> {
    async fn interrupt() {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "cannot listen to signals");
            std::future::pending::<()>().await;
        }
    }
    let second = async {
        interrupt().await;
        interrupt().await;
    };
    Ok((interrupt(), second))
}
