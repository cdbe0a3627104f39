//! Access tokens: JWTs as RFC 8725 and RFC 9068 ask for them. One algorithm, named here and never
//! taken from the token; issuer, audience and type are checked; keys are never fetched from where a
//! header points. The newest secret signs; the previous ones are still believed, each under the name
//! (`kid`) that follows from it.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::limits;

const ISSUER: &str = "pulso";
const AUDIENCE: &str = "pulso";
const TYPE: &str = "at+jwt";
const KEY_ID_BYTES: usize = 9;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The user.
    sub: Uuid,
    /// The tenant.
    tid: Uuid,
    /// The session.
    sid: Uuid,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessToken {
    pub(crate) tenant_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) session_id: Uuid,
    pub(crate) expires_at: DateTime<Utc>,
}

impl AccessToken {
    /// `expires_at`, and the leeway that clocks of several machines need.
    pub(crate) fn accepted_until(&self) -> DateTime<Utc> {
        self.expires_at.checked_add_signed(leeway()).unwrap_or(self.expires_at)
    }
}

pub(crate) struct Signer {
    newest: Key,
    previous: Vec<Key>,
    validation: Validation,
}

struct Key {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Key {
    fn new(secret: &[u8]) -> Self {
        Self {
            id: key_id(secret),
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        }
    }
}

/// The name that tokens signed with `secret` carry. It follows from the secret, so that nodes agree
/// on it without being told, and says nothing of it.
pub fn key_id(secret: &[u8]) -> String {
    let mark = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"pulso signing key");
    URL_SAFE_NO_PAD.encode(mark.as_ref().get(..KEY_ID_BYTES).unwrap_or_default())
}

impl Signer {
    pub(crate) fn new(secret: &[u8], previous: &[&[u8]]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // Times are judged in `read`, by our own clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            newest: Key::new(secret),
            previous: previous.iter().map(|secret| Key::new(secret)).collect(),
            validation,
        }
    }

    /// The text of a token that is issued at `now`.
    pub(crate) fn sign(&self, token: &AccessToken, now: DateTime<Utc>) -> Result<String> {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.newest.id.clone());
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: token.user_id,
            tid: token.tenant_id,
            sid: token.session_id,
            iat: now.timestamp(),
            exp: token.expires_at.timestamp(),
            nbf: None,
        };
        jsonwebtoken::encode(&header, &claims, &self.newest.encoding).map_err(Error::internal)
    }

    /// What `text` says, if we signed it for this purpose and it holds at `now`.
    pub(crate) fn read(&self, text: &str, now: DateTime<Utc>) -> Option<AccessToken> {
        let key = self.named(&jsonwebtoken::decode_header(text).ok()?.kid?)?;
        let data = jsonwebtoken::decode::<Claims>(text, &key.decoding, &self.validation).ok()?;
        let header = data.header;
        let is_ours =
            header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE)) && header.crit.is_none();
        let claims = data.claims;
        let begins = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat));
        // Nobody gets a longer one from us, whoever else may hold the secret.
        let lives_s = claims.exp.checked_sub(claims.iat)?;
        let is_short = (1..=limits::ACCESS_TOKEN_SECONDS).contains(&lives_s);
        let token = AccessToken {
            tenant_id: claims.tid,
            user_id: claims.sub,
            session_id: claims.sid,
            expires_at: DateTime::from_timestamp(claims.exp, 0)?,
        };
        let holds =
            DateTime::from_timestamp(begins, 0)? <= now + leeway() && now < token.accepted_until();
        (is_ours && is_short && holds).then_some(token)
    }

    fn named(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.newest).chain(&self.previous).find(|key| key.id == id)
    }
}

fn leeway() -> TimeDelta {
    TimeDelta::seconds(limits::TOKEN_LEEWAY_SECONDS)
}
