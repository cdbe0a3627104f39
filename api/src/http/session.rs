//! Cookie mode, for pages in a browser: with `X-Session-Mode: cookie` the session's tokens travel in
//! cookies that no script can read, and a request is believed by its cookies.
//!
//! What keeps another site from using them (OWASP's cheat sheet on cross-site request forgery):
//! - without the header cookies are not looked at, and no form, image or link can send it; a script
//!   of another origin has to ask first (CORS), and only named origins are told yes;
//! - the page's `Origin` must be the server's own or one that `cors_origins` names, `*` not counted;
//! - the cookies are `SameSite=Strict` and, over TLS, bound to this host alone (`__Host-`);
//! - a GET changes nothing, whatever authenticates it.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::browser::{Browser, Change, Cookie, Standing};
use crate::config::{OriginPattern, Secret};
use crate::ctx::Origin;
use crate::error::{Error, Result, say};

const SESSION_MODE: HeaderName = HeaderName::from_static("x-session-mode");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const ACCESS: &str = "pulso_access";
const REFRESH: &str = "pulso_refresh";
/// Bound to this very host and to TLS by the browser itself (RFC 6265bis).
const HOST_PREFIX: &str = "__Host-";

/// The browser behind a request that asks for cookie mode.
pub(super) fn browser(request: &Request, named: &[OriginPattern]) -> Option<Arc<Browser>> {
    let headers = request.headers();
    let mode = text(headers, &SESSION_MODE)?;
    let page = Page::of(headers, request.uri());
    let standing = if mode.eq_ignore_ascii_case("header") {
        return None;
    } else if !mode.eq_ignore_ascii_case("cookie") {
        Standing::UnknownMode
    } else if page.may_use_cookies(request.method(), named) {
        Standing::Trusted
    } else {
        Standing::Foreign
    };
    let kept = |name| {
        let is_trusted = standing == Standing::Trusted;
        is_trusted.then(|| cookie(headers, name, page.is_secure())).flatten()
    };
    Some(Arc::new(Browser::new(standing, page.is_secure(), kept(ACCESS), kept(REFRESH))))
}

/// The access token of a WebSocket's upgrade, where a page of ours opened it. Browsers send no
/// headers of a page's choice here, but always its origin.
pub(super) fn of_upgrade(
    headers: &HeaderMap,
    uri: &Uri,
    named: &[OriginPattern],
) -> Option<String> {
    let page = Page::of(headers, uri);
    let is_trusted = page.is_own() || page.is_named(named);
    let token = cookie(headers, ACCESS, page.is_secure()).filter(|_| is_trusted);
    token.map(|token| token.reveal().to_owned())
}

/// The access token that a page's request stands on; FORBIDDEN where the page may not use it.
pub(super) fn access_token(browser: &Browser) -> Result<Option<&str>> {
    match browser.standing {
        Standing::Trusted => Ok(browser.access_token.as_ref().map(Secret::reveal)),
        Standing::Foreign => Err(Error::forbidden(say(
            "this page's origin may not use session cookies; cors_origins names those that may",
            "a origem desta página não pode usar cookies de sessão; cors_origins diz quais podem",
        ))),
        Standing::UnknownMode => Err(Error::invalid(say(
            "X-Session-Mode is \"cookie\" or \"header\"",
            "X-Session-Mode é \"cookie\" ou \"header\"",
        ))),
    }
}

/// Writes the cookies that a browser was told to keep or drop.
pub(super) fn write_cookies(origin: &Origin, headers: &mut HeaderMap) {
    if let Some(browser) = &origin.browser
        && let Some(change) = browser.seal()
    {
        for line in lines(&change, browser.is_secure) {
            append(headers, &line);
        }
    }
}

/// A cookie that no log shows.
pub(super) fn append(headers: &mut HeaderMap, line: &str) {
    if let Ok(mut value) = HeaderValue::from_str(line) {
        value.set_sensitive(true);
        headers.append(SET_COOKIE, value);
    }
}

pub(super) fn lines(change: &Change, is_secure: bool) -> Vec<String> {
    let line = |name: &str, token: &str, max_age_s: i64| {
        written((name, token), max_age_s, "Strict", is_secure)
    };
    let kept = |name: &str, cookie: &Cookie| line(name, cookie.token.reveal(), cookie.max_age_s);
    match change {
        Change::Keep { access, refresh } => vec![kept(ACCESS, access), kept(REFRESH, refresh)],
        Change::Drop => vec![line(ACCESS, "", 0), line(REFRESH, "", 0)],
    }
}

/// One cookie, out of every script's reach; over TLS bound to this very host.
pub(super) fn written(
    (name, value): (&str, &str),
    max_age_s: i64,
    same_site: &str,
    is_secure: bool,
) -> String {
    let (prefix, secure) = if is_secure { (HOST_PREFIX, "; Secure") } else { ("", "") };
    format!(
        "{prefix}{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite={same_site}{secure}"
    )
}

/// The page behind a request, as the browser tells it.
struct Page<'a> {
    /// Where it came from; absent when it reads from its own server.
    origin: Option<&'a str>,
    /// What it calls this server.
    host: &'a str,
    is_cross_site: bool,
}

impl<'a> Page<'a> {
    fn of(headers: &'a HeaderMap, uri: &'a Uri) -> Self {
        // HTTP/2 names the server in the address instead.
        let authority = uri.authority().map(axum::http::uri::Authority::as_str);
        let site = text(headers, &FETCH_SITE).unwrap_or_default();
        Self {
            origin: text(headers, &ORIGIN),
            host: text(headers, &HOST).or(authority).unwrap_or_default(),
            is_cross_site: site.eq_ignore_ascii_case("cross-site"),
        }
    }

    /// Browsers leave the origin out only where a page reads from its own server.
    fn may_use_cookies(&self, method: &Method, named: &[OriginPattern]) -> bool {
        let reads = [Method::GET, Method::HEAD].contains(method);
        let is_ours = if self.origin.is_none() { reads } else { self.is_own() };
        // A page of another site could not keep the cookies: better to say so.
        !self.is_cross_site && (is_ours || self.is_named(named))
    }

    /// Whether this server, or the proxy before it, served the page.
    fn is_own(&self) -> bool {
        let scheme = if self.is_secure() { "https://" } else { "http://" };
        let host = self.origin.and_then(|origin| origin.strip_prefix(scheme));
        host.is_some_and(|host| !host.is_empty() && host.eq_ignore_ascii_case(self.host))
    }

    fn is_named(&self, named: &[OriginPattern]) -> bool {
        let origin = self.origin.unwrap_or_default();
        named.iter().any(|pattern| pattern.names(origin))
    }

    /// Only between a page and a server on one machine do cookies travel without TLS.
    fn is_secure(&self) -> bool {
        let page_is_local = self
            .origin
            .is_none_or(|origin| origin.strip_prefix("http://").is_some_and(is_loopback));
        !(page_is_local && is_loopback(self.host))
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let address = name.parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// A cookie by its name. What another host of the same domain may have set (without the prefix) is
/// looked at only where there is no TLS to begin with.
pub(super) fn cookie(headers: &HeaderMap, name: &str, is_secure: bool) -> Option<Secret> {
    let bound = format!("{HOST_PREFIX}{name}");
    let wanted: &[&str] = if is_secure { &[&bound] } else { &[&bound, name] };
    wanted.iter().find_map(|wanted| {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, value)| name == wanted && !value.is_empty())
            .map(|(_, value)| Secret::new(value))
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page<'a>(origin: Option<&'a str>, host: &'a str) -> Page<'a> {
        Page { origin, host, is_cross_site: false }
    }

    #[test]
    fn cookies_go_without_tls_only_on_one_machine() {
        for (origin, host) in [
            (Some("http://localhost:5173"), "localhost:8000"),
            (Some("http://127.0.0.1:3000"), "127.0.0.1:8000"),
            (Some("http://[::1]:3000"), "[::1]:8000"),
            (None, "localhost"),
        ] {
            assert!(!page(origin, host).is_secure(), "{origin:?} {host}");
        }
        for (origin, host) in [
            (Some("https://crm.example.com"), "127.0.0.1:8000"),
            (Some("http://crm.example.com"), "crm.example.com"),
            (Some("http://localhost.example.com"), "localhost:8000"),
            (Some("http://localhost:3000"), "crm.example.com"),
            (Some("capacitor://localhost"), "localhost:8000"),
            (None, "crm.example.com"),
            (None, ""),
        ] {
            assert!(page(origin, host).is_secure(), "{origin:?} {host}");
        }
    }

    #[test]
    fn whose_pages_may_use_cookies() {
        let named = [OriginPattern::new("https://app.example.com"), OriginPattern::new("*")];
        let may =
            |origin, host, method: &Method| page(origin, host).may_use_cookies(method, &named);
        let host = "crm.example.com";
        assert!(may(Some("https://crm.example.com"), host, &Method::POST));
        assert!(may(Some("https://app.example.com"), host, &Method::POST));
        assert!(may(Some("http://localhost:8000"), "localhost:8000", &Method::POST));
        assert!(may(None, host, &Method::GET));
        for origin in [
            None,
            Some("null"),
            Some(""),
            Some("https://"),
            Some("http://crm.example.com"),
            Some("https://crm.example.com:8443"),
            Some("https://crm.example.com.evil.example"),
            Some("https://evil.example"),
        ] {
            assert!(!may(origin, host, &Method::POST), "{origin:?}");
        }
        let cross = Page { is_cross_site: true, ..page(Some("https://app.example.com"), host) };
        assert!(!cross.may_use_cookies(&Method::GET, &named));
    }
}
