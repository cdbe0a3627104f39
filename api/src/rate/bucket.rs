//! What is counted, and whose it is.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::config::Limits;

/// Bits of an IPv6 address that one customer has to itself.
const IPV6_HOST_BITS: u32 = 64;

/// A kind of limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// All operations of one API key.
    Key,
    /// All operations of one user.
    User,
    /// All operations of one tenant.
    Tenant,
    /// All operations without a credential from one address.
    Address,
    /// Attempts to sign in.
    Login,
    /// Requests to reset a password.
    PasswordReset,
}

impl Bucket {
    pub const ALL: [Self; 6] =
        [Self::Key, Self::User, Self::Tenant, Self::Address, Self::Login, Self::PasswordReset];

    /// Its name in headers and measurements.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::User => "user",
            Self::Tenant => "tenant",
            Self::Address => "address",
            Self::Login => "login",
            Self::PasswordReset => "password-reset",
        }
    }

    /// What an operator changes to raise it.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Key => "rate_key_per_minute",
            Self::User => "rate_user_per_minute",
            Self::Tenant => "rate_tenant_per_minute",
            Self::Address => "rate_address_per_minute",
            Self::Login => "rate_login_per_minute",
            Self::PasswordReset => "rate_password_reset_per_hour",
        }
    }

    pub(super) fn limit(self, settings: &Limits) -> u32 {
        match self {
            Self::Key => settings.rate_key_per_minute,
            Self::User => settings.rate_user_per_minute,
            Self::Tenant => settings.rate_tenant_per_minute,
            Self::Address => settings.rate_address_per_minute,
            Self::Login => settings.rate_login_per_minute,
            Self::PasswordReset => settings.rate_password_reset_per_hour,
        }
    }

    /// How long it takes until all points are back.
    pub(super) fn window(self) -> Duration {
        match self {
            Self::Key | Self::User | Self::Tenant | Self::Address | Self::Login => {
                Duration::from_secs(60)
            }
            Self::PasswordReset => Duration::from_secs(60 * 60),
        }
    }

    /// The window in words.
    pub(super) fn period(self) -> (&'static str, &'static str) {
        match self {
            Self::Key | Self::User | Self::Tenant | Self::Address | Self::Login => {
                ("minute", "minuto")
            }
            Self::PasswordReset => ("hour", "hora"),
        }
    }

    /// Whose limit it is, in words.
    pub(super) fn spoken(self) -> (&'static str, &'static str) {
        match self {
            Self::Key => ("API key", "desta chave de API"),
            Self::User => ("user", "deste usuário"),
            Self::Tenant => ("tenant", "desta conta"),
            Self::Address => ("address without a credential", "deste endereço sem credencial"),
            Self::Login => ("address for signing in", "de entradas deste endereço"),
            Self::PasswordReset => {
                ("address for resetting passwords", "de redefinições de senha deste endereço")
            }
        }
    }

    /// Whether nodes may count it together. Strangers are counted where they knock, so that they
    /// cause no statement.
    pub(super) fn is_shared(self) -> bool {
        match self {
            Self::Key | Self::User | Self::Tenant => true,
            Self::Address | Self::Login | Self::PasswordReset => false,
        }
    }
}

/// Whose points are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Something of a tenant, by its id: a key, a user, the tenant itself.
    Member {
        tenant_id: Uuid,
        id: Uuid,
    },
    Network(IpAddr),
    /// Anything else with a name; only its digest is kept.
    Text([u8; 16]),
}

impl Subject {
    /// An address; of IPv6 the network, which is one customer's.
    pub fn address(ip: IpAddr) -> Self {
        Self::Network(match ip.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
                address.to_bits() >> IPV6_HOST_BITS << IPV6_HOST_BITS,
            )),
            known @ IpAddr::V4(_) => known,
        })
    }

    /// Something named, such as an account that nobody has signed in to yet.
    pub fn text(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut short = [0_u8; 16];
        for (to, from) in short.iter_mut().zip(digest) {
            *to = from;
        }
        Self::Text(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_customer_is_one_subject_and_an_ipv4_address_too() {
        let of = |text: &str| Subject::address(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
