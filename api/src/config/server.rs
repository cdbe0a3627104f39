//! How the server listens.
//!
//! Reads `PULSO_HOST`, `PULSO_PORT` (also `PORT`), `PULSO_CORS_ORIGINS`, `PULSO_TRUSTED_PROXIES`,
//! `PULSO_WORKERS`, `PULSO_REQUEST_TIMEOUT_MS`, `PULSO_SHUTDOWN_GRACE_MS`.

use super::address::{IpRange, OriginPattern};
use super::setting::settings;
use crate::limits;

settings! {
    /// How the server listens.
    Server, "Server";

    /// Address or host name to listen on; 0.0.0.0 for every interface.
    "host" host: String = "127.0.0.1".to_owned();

    /// Port to listen on; 0 takes a free one.
    "port" port: u16 = 8000, { also: &["PORT"] };

    /// Origins that browsers may call from (CORS): exact, with any port (http://localhost:*), or *.
    "cors_origins" cors_origins: Vec<OriginPattern> = local_origins();

    /// Proxies (addresses or CIDR ranges) whose X-Forwarded-For is believed.
    "trusted_proxies" trusted_proxies: Vec<IpRange> = Vec::new();

    /// Whether this server folds events and runs jobs too; false where `pulso worker` does it apart.
    "workers" workers: bool = true;

    /// Milliseconds before a request is given up with 503.
    "request_timeout_ms" request_timeout_ms: u64 = limits::OPERATION_TIMEOUT_MS;

    /// Milliseconds to keep serving new requests after SIGTERM while /readyz already answers 503.
    "shutdown_grace_ms" shutdown_grace_ms: Option<u64> = None, {
        default_note: "0 in a terminal, else 5000", example: "5000"
    };
}

/// Development servers and the origins of Capacitor and Ionic apps.
fn local_origins() -> Vec<OriginPattern> {
    [
        "http://localhost",
        "http://localhost:*",
        "http://127.0.0.1:*",
        "https://localhost",
        "capacitor://localhost",
        "ionic://localhost",
    ]
    .map(OriginPattern::new)
    .to_vec()
}
