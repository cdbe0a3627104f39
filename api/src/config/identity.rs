//! Signing of access tokens.
//!
//! Reads `PULSO_JWT_SECRET` (also as `PULSO_JWT_SECRET_FILE`).

use super::secret::Secret;
use super::setting::settings;

settings! {
    /// Signing of access tokens.
    Identity, "Identity";

    /// Secret that signs access tokens, 32 bytes or more; the same on every node.
    "jwt_secret" jwt_secret: Option<Secret> = None, {
        secret: true,
        default_note: "on SQLite made once and kept beside the database; on PostgreSQL required",
        example: "\"at least 32 random bytes, e.g. openssl rand -base64 48\""
    };
}
