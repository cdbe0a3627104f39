//! How much callers may ask for, and how connections may behave. The defaults stop runaways and do
//! not bite honest use; 0 takes a limit away. `docs/limits.md` lists what each one answers.
//!
//! Reads `PULSO_RATE_KEY_PER_MINUTE`, `PULSO_RATE_USER_PER_MINUTE`, `PULSO_RATE_TENANT_PER_MINUTE`,
//! `PULSO_RATE_ADDRESS_PER_MINUTE`, `PULSO_RATE_LOGIN_PER_MINUTE`,
//! `PULSO_RATE_PASSWORD_RESET_PER_HOUR`, `PULSO_RATE_SHARED`, `PULSO_OPERATIONS_AT_ONCE`,
//! `PULSO_TENANT_OPERATIONS_AT_ONCE`, `PULSO_HEADER_TIMEOUT_MS`, `PULSO_HTTP_CONNECTIONS_MAX`.

use super::setting::settings;

settings! {
    /// How much callers may ask for. Rates count cost: one per operation and one per 100 rows that
    /// it may return; 0 takes a limit away.
    Limits, "Limits";

    /// Cost that one API key may cause in a minute.
    "rate_key_per_minute" rate_key_per_minute: u32 = 6_000_000;

    /// Cost that one user may cause in a minute, through all tokens and keys.
    "rate_user_per_minute" rate_user_per_minute: u32 = 6_000_000;

    /// Cost that one tenant may cause in a minute.
    "rate_tenant_per_minute" rate_tenant_per_minute: u32 = 12_000_000;

    /// Cost that one address may cause in a minute without a credential.
    "rate_address_per_minute" rate_address_per_minute: u32 = 60_000;

    /// Sign-ins that one address may try in a minute.
    "rate_login_per_minute" rate_login_per_minute: u32 = 120;

    /// Passwords that one address may ask to reset in an hour.
    "rate_password_reset_per_hour" rate_password_reset_per_hour: u32 = 60;

    /// Count the rates of keys, users and tenants over all nodes, through the database.
    "rate_shared" rate_shared: bool = false;

    /// Operations that read or write at the same time; others wait, tenants by turns.
    "operations_at_once" operations_at_once: Option<u32> = None, {
        default_note: "twice database_connections_max", example: "16"
    };

    /// Of these, how many one tenant may have while others are active.
    "tenant_operations_at_once" tenant_operations_at_once: Option<u32> = None, {
        default_note: "a quarter of database_connections_max, and no more than half of the processors", example: "2"
    };

    /// Milliseconds that a connection may take for the head of a request, or be idle before one.
    "header_timeout_ms" header_timeout_ms: u64 = 75_000;

    /// Connections open at the same time; others wait to be accepted.
    "http_connections_max" http_connections_max: u32 = 10_000;
}
