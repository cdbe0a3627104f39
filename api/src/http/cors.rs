//! Which browsers' pages may call us. "Credentials" in the sense of CORS are cookies: pages of
//! origins that are named may send them (`session.rs` says when they count), `*` names nobody.

use std::time::Duration;

use axum::http::header::{ETAG, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowCredentials, AllowHeaders, AllowOrigin, CorsLayer};

use super::origin::REQUEST_ID;
use super::reply::{RATE_LIMIT, RATE_LIMIT_POLICY};
use crate::config::OriginPattern;

/// Browsers cap what they remember of a preflight at one or two hours.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

pub(super) fn layer(patterns: &[OriginPattern]) -> CorsLayer {
    let patterns = patterns.to_vec();
    let named = patterns.clone();
    CorsLayer::new()
        .allow_credentials(AllowCredentials::predicate(move |origin: &HeaderValue, _parts| {
            origin.to_str().is_ok_and(|origin| named.iter().any(|pattern| pattern.names(origin)))
        }))
        .allow_origin(AllowOrigin::predicate(move |origin: &HeaderValue, _parts| {
            origin
                .to_str()
                .is_ok_and(|origin| patterns.iter().any(|pattern| pattern.allows(origin)))
        }))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::HEAD,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            ETAG,
            RETRY_AFTER,
            REQUEST_ID,
            RATE_LIMIT,
            RATE_LIMIT_POLICY,
            HeaderName::from_static("x-cache-static"),
            HeaderName::from_static("x-cache-annual"),
            HeaderName::from_static("x-query-time-ms"),
        ])
        .max_age(PREFLIGHT_MAX_AGE)
}
