//! Listening, and ending well: at the first signal `/readyz` turns 503 while new requests are still
//! served, then nothing new is accepted, what is in flight finishes, and the pools are closed.
//!
//! A connection has so long for the head of a request, and so long to be idle before one; beyond a
//! number of open connections new ones wait to be accepted. So a client that sends a byte now and
//! then, or nothing at all, holds nothing for ever.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

use super::router;
use crate::app::App;

/// Beyond the longest request, what an ending connection may still take.
const ENDING_MARGIN: Duration = Duration::from_secs(2);
/// When the system has no descriptor left, asking again at once would only warm the processor.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Serves until `signal` ends, then stops as described above. New requests are still served after
/// the signal until `grace` ends.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    signal: impl Future<Output = ()> + Send + 'static,
    grace: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let ending = CancellationToken::new();
    let until_stopped = async {
        signal.await;
        tracing::info!("stopping: no more work, please");
        app.drain();
        grace.await;
        app.begin_stop();
        ending.cancel();
    };
    let door =
        Door { router: router(Arc::clone(&app)), protocol: protocol(&app), ending: ending.clone() };
    let mut connections = JoinSet::new();
    let most = usize::try_from(app.config.limits.http_connections_max).unwrap_or(usize::MAX);
    let places = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
    tokio::select! {
        () = until_stopped => {}
        () = accept(&listener, &door, &places, &mut connections) => {}
    }
    drop(listener);
    let longest = Duration::from_millis(app.config.server.request_timeout_ms) + ENDING_MARGIN;
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(longest, all_ended).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    app.stop(longest).await;
    tracing::info!("stopped");
    Ok(())
}

/// What every connection is served with.
struct Door {
    router: Router,
    protocol: http1::Builder,
    ending: CancellationToken,
}

fn protocol(app: &App) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new());
    let timeout_ms = app.config.limits.header_timeout_ms;
    // From the moment a connection is accepted, or has been answered.
    protocol.header_read_timeout((timeout_ms > 0).then(|| Duration::from_millis(timeout_ms)));
    protocol
}

/// Accepts connections as long as there are places; never ends by itself.
async fn accept(
    listener: &TcpListener,
    door: &Door,
    places: &Arc<Semaphore>,
    connections: &mut JoinSet<()>,
) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
        // Ended connections leave nothing behind.
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                connections.spawn(door.converse(stream, peer, place));
            }
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(%error, "a connection ended before it was accepted");
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}

impl Door {
    /// One connection, until it is closed or, once the server ends, answered for the last time.
    fn converse(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + use<> {
        // Small answers must not wait for an acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let router = Extension(ConnectInfo(peer)).layer(self.router.clone());
        let service = TowerToHyperService::new(router);
        let connection = self.protocol.serve_connection(TokioIo::new(stream), service);
        let connection = connection.with_upgrades();
        let ending = self.ending.clone();
        async move {
            let _place = place;
            tokio::pin!(connection);
            let outcome = tokio::select! {
                outcome = connection.as_mut() => outcome,
                () = ending.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = outcome {
                tracing::debug!(%error, %peer, "a connection ended early");
            }
        }
    }
}

/// The client's doing, and not a reason to stop accepting others.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
