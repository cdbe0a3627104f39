//! What a provider's settings have to be. Pure but for the addresses that an operator allows.

use entity::value::Email;
use reqwest::Url;

use super::service::ProviderDraft;
use crate::config::Secret;
use crate::error::{Error, Result, say};
use crate::identity::single_sign_on::addresses;
use crate::identity::{tenant, user};
use crate::limits;

const ISSUER_CHARS_MAX: usize = 500;
const CLIENT_ID_CHARS_MAX: usize = 500;
const SECRET_CHARS_MAX: usize = 2_000;
const SCOPES_MAX: usize = 20;
const SCOPE_CHARS_MAX: usize = 200;
const DOMAINS_MAX: usize = 100;
/// Without it there is no ID token.
const OPENID: &str = "openid";
const USUAL_SCOPES: [&str; 3] = [OPENID, "email", "profile"];

/// The stored form of a provider's settings.
pub(super) fn checked(draft: ProviderDraft, private_allowed: bool) -> Result<ProviderDraft> {
    let scopes = if draft.scopes.is_empty() {
        USUAL_SCOPES.map(str::to_owned).to_vec()
    } else {
        checked_scopes(draft.scopes)?
    };
    if draft.creates_users && draft.role.is_none() {
        return Err(Error::invalid_field(
            "role",
            say(
                "users who are made at their first sign-in need a role",
                "usuários criados no primeiro acesso precisam de um papel",
            ),
        ));
    }
    Ok(ProviderDraft {
        slug: tenant::service::checked_slug(&draft.slug)?,
        name: user::service::checked_name(&draft.name, "name")?,
        issuer: checked_issuer(&draft.issuer, private_allowed)?,
        client_id: checked_text(&draft.client_id, "clientId", CLIENT_ID_CHARS_MAX)?,
        scopes,
        email_domains: checked_domains(&draft.email_domains)?,
        ..draft
    })
}

/// A client secret as it is sealed.
pub(super) fn checked_secret(secret: &str) -> Result<Secret> {
    checked_text(secret, "clientSecret", SECRET_CHARS_MAX).map(Secret::new)
}

/// Exactly as the provider says it of itself: it is compared letter by letter.
fn checked_issuer(issuer: &str, private_allowed: bool) -> Result<String> {
    let wrong = |message| Error::invalid_field("issuer", message);
    let url = Url::parse(issuer).ok().filter(|url| {
        let is_bare = url.query().is_none() && url.fragment().is_none();
        let is_plain = url.username().is_empty() && url.password().is_none();
        is_bare
            && is_plain
            && issuer.len() <= ISSUER_CHARS_MAX
            && !issuer.contains(char::is_control)
    });
    let Some(url) = url else {
        return Err(wrong(say(
            "an issuer is an address like https://accounts.google.com, without query or fragment",
            "um emissor é um endereço como https://accounts.google.com, sem query nem fragmento",
        )));
    };
    addresses::check(&url, private_allowed).map_err(|error| error.at("issuer"))?;
    Ok(issuer.to_owned())
}

fn checked_text(text: &str, field: &'static str, most: usize) -> Result<String> {
    let fits = (1..=most).contains(&text.chars().count());
    if fits && text.trim() == text && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid_field(
        field,
        say(
            format!("1 to {most} characters, without spaces around them"),
            format!("de 1 a {most} caracteres, sem espaços em volta"),
        ),
    ))
}

/// RFC 6749: visible ASCII but for quotes and backslash.
fn checked_scopes(scopes: Vec<String>) -> Result<Vec<String>> {
    let is_scope = |scope: &String| {
        let is_legal = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        (1..=SCOPE_CHARS_MAX).contains(&scope.len()) && scope.bytes().all(is_legal)
    };
    let has_openid = scopes.iter().any(|scope| scope == OPENID);
    if scopes.len() <= SCOPES_MAX && has_openid && scopes.iter().all(is_scope) {
        return Ok(scopes);
    }
    Err(Error::invalid_field(
        "scopes",
        say(
            format!("at most {SCOPES_MAX} scopes, openid among them"),
            format!("no máximo {SCOPES_MAX} escopos, openid entre eles"),
        ),
    ))
}

fn checked_domains(domains: &[String]) -> Result<Vec<String>> {
    if domains.len() > DOMAINS_MAX {
        let message = say(
            format!("at most {DOMAINS_MAX} domains"),
            format!("no máximo {DOMAINS_MAX} domínios"),
        );
        return Err(Error::invalid_field("emailDomains", message));
    }
    domains.iter().map(|domain| checked_domain(domain)).collect()
}

fn checked_domain(domain: &str) -> Result<String> {
    // A domain is what may stand behind an address's @.
    let address = Email::parse(&format!("a@{}", domain.trim()));
    let domain_of = |email: Email| email.to_login().split_once('@').map(|(_, at)| at.to_owned());
    address.ok().and_then(domain_of).ok_or_else(|| {
        Error::invalid_field(
            "emailDomains",
            say("a domain is like example.com", "um domínio é como example.com"),
        )
    })
}

/// Providers of one tenant.
pub(super) fn check_count(there: u64) -> Result<()> {
    let most = limits::IDENTITY_PROVIDERS_MAX;
    if there < most {
        return Ok(());
    }
    Err(Error::limit(say(
        format!("a tenant has at most {most} identity providers"),
        format!("uma organização tem no máximo {most} provedores de identidade"),
    )))
}
