//! Values that speak of addresses: ranges of trusted proxies and patterns of allowed origins.

use std::net::IpAddr;

use super::setting::Shape;
use super::value::{Value, quoted};

/// A range of IP addresses in CIDR notation; a bare address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    network: IpAddr,
    prefix_bits: u8,
}

impl IpRange {
    /// IPv4 addresses that arrive mapped into IPv6 (`::ffff:10.0.0.1`) count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix_bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix_bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl Value for IpRange {
    const SHAPE: Shape = Shape::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is neither an IP address nor a range like 10.0.0.0/8");
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let network: IpAddr = address.parse().map_err(|_not_an_address| wrong())?;
        let bits_max = if network.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => bits_max,
            Some(prefix) => prefix.parse().map_err(|_not_a_number| wrong())?,
        };
        if prefix_bits > bits_max {
            return Err(wrong());
        }
        Ok(Self { network, prefix_bits })
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(&format!("{}/{}", self.network, self.prefix_bits)))
    }
}

/// An origin that browsers may call from: exact, with any port (`http://localhost:*`), or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern(String);

impl OriginPattern {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn allows(&self, origin: &str) -> bool {
        self.0 == "*" || self.names(origin)
    }

    /// As [`OriginPattern::allows`], where `*` is not enough: for pages that are trusted with cookies.
    pub fn names(&self, origin: &str) -> bool {
        if self.0 == "*" {
            return false;
        }
        match self.0.strip_suffix(":*") {
            Some(host) => origin
                .strip_prefix(host)
                .and_then(|rest| rest.strip_prefix(':'))
                .is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())),
            None => self.0.eq_ignore_ascii_case(origin),
        }
    }
}

impl Value for OriginPattern {
    const SHAPE: Shape = Shape::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::new(text));
        }
        let host = text.split_once("://").map(|(_, host)| host.trim_end_matches(":*"));
        match host {
            Some(host) if !host.is_empty() && !host.contains(['/', '*', '?', '#', ' ']) => {
                Ok(Self::new(text.to_ascii_lowercase()))
            }
            Some(_) | None => Err(format!(
                "\"{text}\" is not an origin like https://app.example.com or http://localhost:*"
            )),
        }
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}
