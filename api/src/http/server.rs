//! Listening, and ending well: at the first signal `/readyz` turns 503 while new requests are still
//! served, then nothing new is accepted, what is in flight finishes, and the pools are closed.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::router;
use crate::app::App;

/// Beyond the longest request, what an ending connection may still take.
const ENDING_MARGIN: Duration = Duration::from_secs(2);

/// Serves until `signal` ends, then stops as described above. `grace` is how long new requests are
/// still served after the signal.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    signal: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> io::Result<()> {
    let ending = CancellationToken::new();
    let until_stopped = {
        let (app, ending) = (Arc::clone(&app), ending.clone());
        async move {
            signal.await;
            tracing::info!(grace_ms = grace.as_millis(), "stopping: no more work, please");
            app.drain();
            tokio::time::sleep(grace).await;
            app.begin_stop();
            ending.cancel();
        }
    };
    // Small answers must not wait for an acknowledgement of the one before.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let service = router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
    let longest = Duration::from_millis(app.config.server.request_timeout_ms) + ENDING_MARGIN;
    let too_long = async {
        ending.cancelled().await;
        tokio::time::sleep(longest).await;
    };
    let served = tokio::select! {
        served = async { axum::serve(listener, service).with_graceful_shutdown(until_stopped).await } => served,
        () = too_long => {
            tracing::warn!("some connections did not end in time");
            Ok(())
        }
    };
    app.stop(longest).await;
    tracing::info!("stopped");
    served
}
