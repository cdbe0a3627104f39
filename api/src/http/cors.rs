//! Which browsers' pages may call us. Credentials are headers and never cookies, so "credentials"
//! in the sense of CORS are not needed and not allowed.

use std::time::Duration;

use axum::http::header::{ETAG, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::origin::REQUEST_ID;
use crate::config::OriginPattern;

/// Browsers cap what they remember of a preflight at one or two hours.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

pub(super) fn layer(patterns: &[OriginPattern]) -> CorsLayer {
    let patterns = patterns.to_vec();
    CorsLayer::new()
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
            HeaderName::from_static("x-cache-static"),
            HeaderName::from_static("x-cache-annual"),
            HeaderName::from_static("x-query-time-ms"),
        ])
        .max_age(PREFLIGHT_MAX_AGE)
}
