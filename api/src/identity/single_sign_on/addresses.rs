//! Where an identity provider may be: whoever names one must not reach into the network that this
//! server stands in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::error::{Error, Result, say};

/// `https` at a public address; with `private_allowed` anywhere, and on this machine without TLS.
pub(crate) fn check(url: &Url, private_allowed: bool) -> Result<()> {
    let literal: Option<IpAddr> = url
        .host_str()
        .and_then(|host| host.trim_start_matches('[').trim_end_matches(']').parse().ok());
    let is_local = url.host_str() == Some("localhost")
        || literal.is_some_and(|address| address.to_canonical().is_loopback());
    let is_protected = url.scheme() == "https" || (url.scheme() == "http" && is_local);
    let is_allowed = if private_allowed {
        is_protected
    } else {
        url.scheme() == "https" && !is_local && literal.is_none_or(is_public)
    };
    if is_allowed && url.host_str().is_some() {
        return Ok(());
    }
    Err(Error::invalid(say(
        "an identity provider is reached over https at a public address; \
         sign_in_private_providers lets it be in a private network",
        "um provedor de identidade é acessado por https em um endereço público; \
         sign_in_private_providers permite que esteja em uma rede privada",
    )))
}

/// Whether an address is one of the open internet (IANA's registries of special purposes).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        // Shared by carriers, kept for protocols, kept for measurements.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

/// What was handed out begins with 2 or 3; what leads into IPv4 or stands in books is left out.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_special = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || a == 0x3fff;
    (0x2000..0x4000).contains(&a) && !is_special
}

/// Names are looked up here, so that none leads where no address may.
pub(super) struct Lookup {
    pub(super) private_allowed: bool,
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let private_allowed = self.private_allowed;
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !private_allowed && !found.iter().all(|address| is_public(address.ip())) {
                return Err(format!("{} leads into a private network", name.as_str()).into());
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_internet_is_reached() {
        let may = |url: &str, private| check(&Url::parse(url).unwrap(), private).is_ok();
        for url in [
            "https://accounts.google.com",
            "https://login.microsoftonline.com/tenant/v2.0",
            "https://8.8.8.8",
            "https://[2606:4700::1]:8443/realm",
        ] {
            assert!(may(url, false) && may(url, true), "{url}");
        }
        for url in [
            "https://localhost",
            "https://127.0.0.1",
            "https://10.1.2.3",
            "https://192.168.0.1",
            "https://172.16.0.1",
            "https://169.254.169.254",
            "https://100.64.0.1",
            "https://0.0.0.0",
            "https://2130706433",
            "https://0x7f.1",
            "https://[::1]",
            "https://[::ffff:10.0.0.1]",
            "https://[fd00::1]",
            "https://[fe80::1]",
            "https://[64:ff9b::a00:1]",
            "https://[2002:a00:1::]",
        ] {
            assert!(!may(url, false) && may(url, true), "{url}");
        }
        assert!(may("http://127.0.0.1:9000", true) && may("http://localhost:9000", true));
        for url in ["http://accounts.google.com", "http://10.0.0.1", "ftp://localhost", "file:///x"]
        {
            assert!(!may(url, false) && !may(url, true), "{url}");
        }
    }
}
