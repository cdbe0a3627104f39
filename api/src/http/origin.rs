//! Where a request comes from: its id, the client's address and language.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use axum::http::{HeaderMap, HeaderName};

use crate::clock::Clock;
use crate::config::IpRange;
use crate::ctx::Origin;
use crate::error::Language;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REQUEST_ID_CHARS_MAX: usize = 128;
const USER_AGENT_CHARS_MAX: usize = 500;

pub(super) fn read(request: &Request, clock: &Clock, trusted: &[IpRange]) -> Origin {
    let headers = request.headers();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    Origin {
        request_id: request_id(headers).unwrap_or_else(|| clock.new_id().to_string()),
        ip: peer.map(|peer| client_address(peer, headers, trusted)),
        user_agent: text(headers, &USER_AGENT)
            .map(|agent| agent.chars().take(USER_AGENT_CHARS_MAX).collect()),
        language: text(headers, &ACCEPT_LANGUAGE)
            .map_or(Language::En, Language::from_accept_language),
        idempotency_key: text(headers, &IDEMPOTENCY_KEY).map(unquoted),
        browser: None,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
}

/// An id from outside is kept if it cannot do harm in a log or a header.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = text(headers, &REQUEST_ID)?;
    let sane = id.len() <= REQUEST_ID_CHARS_MAX
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&b));
    sane.then(|| id.to_owned())
}

/// The draft wants a quoted string; most clients send it bare.
fn unquoted(key: &str) -> String {
    let key = key.trim();
    match key.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => inside.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => key.to_owned(),
    }
}

/// The right-most address of `X-Forwarded-For` that is not one of our proxies; the header counts
/// only when the connection itself comes from one, since anybody can write it.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpRange]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    if !is_trusted(peer) {
        return peer;
    }
    let mut client = peer;
    let lines: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(address) = forwarded_address(entry.trim()) else {
            // What stands left of rubbish cannot be believed either.
            break;
        };
        client = address;
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// Some proxies add the port.
fn forwarded_address(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::config::{Config, Sources};

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let mut sources = Sources::default();
        sources
            .environment
            .insert("PULSO_TRUSTED_PROXIES".to_owned(), "10.0.0.0/8, 2001:db8::/32".to_owned());
        let trusted = Config::load(&sources).unwrap().server.trusted_proxies;
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        for line in forwarded {
            request.headers_mut().append(FORWARDED_FOR, line.parse().unwrap());
        }
        read(&request, &Clock::system(), &trusted).ip.unwrap().to_string()
    }

    #[test]
    fn forwarded_for_counts_only_from_a_trusted_proxy() {
        assert_eq!(client("203.0.113.9", &["1.2.3.4"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        // What the client wrote itself stands further left and is not believed.
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.9.9.9"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6, rubbish, 10.9.9.9"]), "10.9.9.9");
        assert_eq!(client("10.0.0.1", &["1.2.3.4:5678"]), "1.2.3.4");
        assert_eq!(client("2001:db8::1", &["[2001:beef::7]:443"]), "2001:beef::7");
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:1.2.3.4"]), "1.2.3.4");
    }

    #[test]
    fn idempotency_keys_come_quoted_and_bare() {
        assert_eq!(unquoted("abc"), "abc");
        assert_eq!(unquoted("\"abc\""), "abc");
        assert_eq!(unquoted("\"a\\\"b\""), "a\"b");
    }
}
