//! Access tokens: JWTs as RFC 8725 and RFC 9068 ask for them. One algorithm, named here and never
//! taken from the token; issuer, audience and type are checked; keys are never fetched from where a
//! header points.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::limits;

const ISSUER: &str = "pulso";
const AUDIENCE: &str = "pulso";
const TYPE: &str = "at+jwt";

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
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Signer {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // Times are judged in `read`, by our own clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
        }
    }

    /// The text of a token that is issued at `now`.
    pub(crate) fn sign(&self, token: &AccessToken, now: DateTime<Utc>) -> Result<String> {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
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
        jsonwebtoken::encode(&header, &claims, &self.encoding).map_err(Error::internal)
    }

    /// What `text` says, if we signed it for this purpose and it holds at `now`.
    pub(crate) fn read(&self, text: &str, now: DateTime<Utc>) -> Option<AccessToken> {
        let data = jsonwebtoken::decode::<Claims>(text, &self.decoding, &self.validation).ok()?;
        let header = data.header;
        let is_ours =
            header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE)) && header.crit.is_none();
        let claims = data.claims;
        let begins = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat));
        let token = AccessToken {
            tenant_id: claims.tid,
            user_id: claims.sub,
            session_id: claims.sid,
            expires_at: DateTime::from_timestamp(claims.exp, 0)?,
        };
        let holds =
            DateTime::from_timestamp(begins, 0)? <= now + leeway() && now < token.accepted_until();
        (is_ours && holds).then_some(token)
    }
}

fn leeway() -> TimeDelta {
    TimeDelta::seconds(limits::TOKEN_LEEWAY_SECONDS)
}
