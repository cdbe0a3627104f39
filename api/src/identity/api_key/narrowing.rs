//! How a key is narrowed, read from its texts: what the scopes and fields leave of a role, and where
//! it may be used from.

use std::net::IpAddr;

use ipnet::IpNet;
use uuid::Uuid;

use crate::access::{Permissions, parse_key_field, parse_key_scope};
use crate::app::App;
use crate::error::{Error, Result, say};

const SCOPES_MAX: usize = 100;
const FIELDS_MAX: usize = 500;
const ADDRESSES_MAX: usize = 100;

/// No scopes: all of the role; no fields: all that the role may read. What this version does not know
/// gives nothing.
pub(crate) fn narrowed(
    key_id: Uuid,
    role: &Permissions,
    scopes: &[String],
    fields: &[String],
) -> Permissions {
    let mut permissions = role.clone();
    if !scopes.is_empty() {
        let known: Vec<_> = scopes.iter().filter_map(|scope| parse_key_scope(scope)).collect();
        if known.len() != scopes.len() {
            tracing::warn!(%key_id, ?scopes, "scopes of an API key are not understood: denied");
        }
        permissions = permissions.restricted_to(&known);
    }
    if !fields.is_empty() {
        let known: Vec<_> = fields.iter().filter_map(|field| parse_key_field(field)).collect();
        if known.len() != fields.len() {
            tracing::warn!(%key_id, ?fields, "fields of an API key are not understood: hidden");
        }
        permissions = permissions.with_fields(&known);
    }
    permissions
}

/// No addresses: from everywhere. One that is not understood lets nobody in.
pub(crate) fn networks(key_id: Uuid, addresses: &[String]) -> Option<Vec<IpNet>> {
    if addresses.is_empty() {
        return None;
    }
    let known: Vec<IpNet> = addresses.iter().filter_map(|text| text.parse().ok()).collect();
    if known.len() != addresses.len() {
        tracing::warn!(%key_id, ?addresses, "addresses of an API key are not understood: denied");
    }
    Some(known)
}

pub(super) fn check_scopes(scopes: &[String]) -> Result<()> {
    too_many("scopes", scopes.len(), SCOPES_MAX)?;
    let Some(wrong) = scopes.iter().find(|scope| parse_key_scope(scope).is_none()) else {
        return Ok(());
    };
    Err(Error::invalid_field(
        "scopes",
        say(
            format!("unknown scope \"{wrong}\": write resource:action, as in leads:read"),
            format!("escopo desconhecido \"{wrong}\": escreva recurso:ação, como leads:read"),
        ),
    ))
}

pub(super) fn check_fields(app: &App, fields: &[String]) -> Result<()> {
    too_many("fields", fields.len(), FIELDS_MAX)?;
    let is_known = |text: &str| match parse_key_field(text) {
        Some((_, "*")) => true,
        Some((resource, name)) => app.records.has_field(resource, name),
        None => false,
    };
    let Some(wrong) = fields.iter().find(|field| !is_known(field)) else { return Ok(()) };
    Err(Error::invalid_field(
        "fields",
        say(
            format!("unknown field \"{wrong}\": write resource.field, as in leads.name or leads.*"),
            format!("campo desconhecido \"{wrong}\": escreva recurso.campo, como leads.name"),
        ),
    ))
}

/// Networks in their plain form; a single address is a network of one.
pub(super) fn checked_addresses(addresses: &[String]) -> Result<Vec<String>> {
    too_many("allowedAddresses", addresses.len(), ADDRESSES_MAX)?;
    let read = |text: &String| {
        let network = text.trim().parse::<IpNet>();
        let network = network.or_else(|_no_network| text.trim().parse::<IpAddr>().map(IpNet::from));
        network.map(|network| network.trunc().to_string()).map_err(|_neither| {
            Error::invalid_field(
                "allowedAddresses",
                say(
                    format!("\"{text}\" is no network: write 10.0.0.0/8 or 2001:db8::/32"),
                    format!("\"{text}\" não é uma rede: escreva 10.0.0.0/8 ou 2001:db8::/32"),
                ),
            )
        })
    };
    addresses.iter().map(read).collect()
}

fn too_many(name: &'static str, count: usize, max: usize) -> Result<()> {
    if count <= max {
        return Ok(());
    }
    Err(Error::invalid_field(name, say(format!("at most {max}"), format!("no máximo {max}"))))
}
