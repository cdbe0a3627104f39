//! What an ID token has to be (OpenID Connect Core 1.0, 3.1.3.7). Pure: keys and time are given.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::limits;

/// Signatures that need the issuer's own key: nothing that a public key could be taken for a secret
/// of, and never `none`.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
const SUBJECT_CHARS_MAX: usize = 255;

/// What we asked for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    pub now: DateTime<Utc>,
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub subject: String,
    pub email: Option<String>,
    pub is_email_verified: bool,
    pub name: Option<String>,
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Signed with a key that is not among those given: there may be new ones.
    UnknownKey,
    /// Not what it has to be; the word is for the log.
    Bad(&'static str),
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    #[serde(flatten)]
    person: Person,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Claims about a person, as ID tokens and userinfo endpoints make them.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Person {
    email: Option<String>,
    email_verified: Option<Json>,
    /// Microsoft Entra's word for it: whether the owner of the address's domain was verified.
    xms_edov: Option<Json>,
    name: Option<String>,
}

impl Person {
    pub(super) fn into_identity(self, subject: String) -> Identity {
        let is_true = |claim: &Json| match claim {
            Json::Bool(yes) => *yes,
            // Some providers send texts, Entra also numbers.
            Json::String(text) => text == "true" || text == "1",
            Json::Number(number) => number.as_i64() == Some(1),
            Json::Null | Json::Array(_) | Json::Object(_) => false,
        };
        let claim = self.email_verified.as_ref().or(self.xms_edov.as_ref());
        Identity {
            subject,
            is_email_verified: claim.is_some_and(is_true),
            email: self.email.filter(|email| !email.is_empty()),
            name: self.name.filter(|name| !name.trim().is_empty()),
        }
    }
}

/// Judges a token.
pub fn check(token: &str, keys: &[Jwk], expected: Expected<'_>) -> Result<Identity, Fault> {
    let header = jsonwebtoken::decode_header(token).map_err(|_error| Fault::Bad("not a JWT"))?;
    if !ALGORITHMS.contains(&header.alg) || header.crit.is_some() {
        return Err(Fault::Bad("algorithm"));
    }
    let key = key_for(&header, keys)?;
    let key = DecodingKey::from_jwk(key).map_err(|_error| Fault::Bad("key"))?;
    let mut validation = Validation::new(header.alg);
    // Judged below, by our own clock and to the letter.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation);
    let claims = claims.map_err(|_error| Fault::Bad("signature or claims"))?.claims;
    check_claims(&claims, expected)?;
    Ok(claims.person.into_identity(claims.sub))
}

/// The one key that a token can be signed with.
fn key_for<'k>(header: &Header, keys: &'k [Jwk]) -> Result<&'k Jwk, Fault> {
    let fits = |key: &&Jwk| {
        let common = &key.common;
        let is_named = header.kid.is_none() || common.key_id == header.kid;
        let signs = !matches!(common.public_key_use, Some(PublicKeyUse::Encryption));
        let algorithm = common.key_algorithm.map(|algorithm| algorithm.to_string());
        let is_for = algorithm.is_none_or(|name| name == format!("{:?}", header.alg));
        let family = DecodingKey::from_jwk(key).map(|key| key.family());
        is_named && signs && is_for && family.is_ok_and(|family| family == header.alg.family())
    };
    let mut fitting = keys.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err(Fault::UnknownKey),
        (Some(_), Some(_)) => Err(Fault::Bad("more than one key fits")),
    }
}

fn check_claims(claims: &Claims, expected: Expected<'_>) -> Result<(), Fault> {
    let must = |holds: bool, word| if holds { Ok(()) } else { Err(Fault::Bad(word)) };
    must(claims.iss == expected.issuer, "issuer")?;
    let (is_for_us, is_for_others) = match &claims.aud {
        Audience::One(audience) => (audience == expected.client_id, false),
        Audience::Many(all) => {
            (all.iter().any(|audience| audience == expected.client_id), all.len() > 1)
        }
    };
    must(is_for_us, "audience")?;
    let party = claims.azp.as_deref();
    must(party.is_none_or(|party| party == expected.client_id), "authorized party")?;
    must(!is_for_others || party.is_some(), "several audiences without an authorized party")?;
    must(claims.nonce.as_deref() == Some(expected.nonce), "nonce")?;
    let characters = claims.sub.chars().count();
    must((1..=SUBJECT_CHARS_MAX).contains(&characters), "subject")?;

    let leeway = TimeDelta::seconds(limits::TOKEN_LEEWAY_SECONDS);
    let instant = |claim: f64, word| instant(claim).ok_or(Fault::Bad(word));
    must(expected.now < instant(claims.exp, "expiry")? + leeway, "expired")?;
    must(instant(claims.iat, "issue")? <= expected.now + leeway, "issued in the future")?;
    match claims.nbf {
        Some(begins) => must(instant(begins, "begin")? <= expected.now + leeway, "not yet valid"),
        None => Ok(()),
    }
}

/// Seconds since 1970; some issuers send fractions.
fn instant(seconds: f64) -> Option<DateTime<Utc>> {
    // Beyond what a date can be, and beyond what a number of milliseconds holds exactly.
    if !(0.0..=253_402_300_799.0).contains(&seconds) {
        return None;
    }
    let since = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::from_std(since).ok()?)
}
