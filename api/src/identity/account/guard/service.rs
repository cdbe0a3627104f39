//! Counting guesses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::count::{Counter, Seen};
use super::store;
use crate::access::SystemHandle;
use crate::app::App;
use crate::audit::Author;
use crate::ctx::Origin;
use crate::db::Conn;
use crate::error::{Error, Result, say};
use crate::identity::account::trail::{Deed, leave};
use crate::identity::digest;
use crate::identity::user::email;
use crate::limits;

/// A guess that is being made.
pub(crate) struct Attempt {
    /// Counts that a right guess clears.
    cleared: Vec<String>,
    /// What remembers that the address is known for theirs.
    known: Option<String>,
    /// Whether this was the last guess that was free.
    reached: bool,
}

/// Counts an attempt to sign in; RATE_LIMITED while one has to wait.
pub(crate) async fn begin_sign_in(
    app: &App,
    tenant_slug: &str,
    email: &str,
    origin: &Origin,
) -> Result<Attempt> {
    let places = Places::of(tenant_slug, email, origin.ip);
    let now = app.clock.now();
    let seen = {
        let conn = app.db.single_read().await?;
        store::read(&conn, places.ids()).await?
    };
    let counters = if places.is_known(&seen, now) {
        // Whoever tries the account from elsewhere does not stand in the way.
        places.pair.as_deref().map(by_account).into_iter().collect()
    } else {
        let address = places.address.as_deref().map(by_address);
        [Some(by_account(&places.account)), address].into_iter().flatten().collect::<Vec<_>>()
    };
    let reached = count(app, &counters, &seen).await?;
    Ok(Attempt {
        cleared: std::iter::once(places.account).chain(places.pair).collect(),
        known: places.known,
        reached,
    })
}

/// Counts a guess at the present password of somebody who is signed in.
pub(crate) async fn begin_change(app: &App, tenant_id: Uuid, user_id: Uuid) -> Result<Attempt> {
    let id = key(&["change", &tenant_id.to_string(), &user_id.to_string()]);
    let reached = count(app, &[by_account(&id)], &HashMap::new()).await?;
    Ok(Attempt { cleared: vec![id], known: None, reached })
}

/// The guess was right: notes it in the transaction of what it opens.
pub(crate) async fn succeeded(conn: &Conn, now: DateTime<Utc>, attempt: Attempt) -> Result<()> {
    store::remove(conn, attempt.cleared).await?;
    match attempt.known {
        Some(known) => store::set(conn, &known, 0, now).await,
        None => Ok(()),
    }
}

impl Attempt {
    /// The guess was wrong. The first one that makes the next wait is noted for its user, beside the
    /// answer: whether there was anybody to note it for must not be seen from how long that takes.
    pub(crate) fn failed(self, app: &Arc<App>, user: Option<(Uuid, Uuid)>, origin: &Origin) {
        if let (true, Some(user)) = (self.reached, user) {
            app.spawn(note_guessing(Arc::clone(app), user, origin.clone()));
        }
    }
}

async fn note_guessing(app: Arc<App>, (tenant_id, user_id): (Uuid, Uuid), origin: Origin) {
    let noted = async {
        let system = SystemHandle::for_tenant(tenant_id);
        let conn = app.db.transaction().await?;
        let deed = Deed {
            user_id,
            action: "user.guessing",
            past: "guessing_noticed",
            old: None,
            new: None,
            payload: json!({ "id": user_id }),
        };
        let author = Author { user_id: None, api_key_id: None, origin: &origin };
        leave(&app.clock, &conn, &system, author, deed).await?;
        conn.commit().await
    };
    if let Err(error) = noted.await {
        tracing::warn!(%tenant_id, %user_id, %error, "guessing was not noted");
    }
}

/// Counts a request for a password reset. RATE_LIMITED for an address that asks too often; false,
/// which nobody is told, where an account gets too many.
pub(crate) async fn may_reset(
    app: &App,
    tenant_slug: &str,
    email: &str,
    origin: &Origin,
) -> Result<bool> {
    let reset = |id: String, free| Counter {
        id,
        free,
        wait_max_s: limits::PASSWORD_RESET_WAIT_SECONDS_MAX,
        kept: TimeDelta::hours(limits::GUESSES_KEPT_HOURS),
    };
    if let Some(ip) = origin.ip {
        let id = key(&["reset", "address", &network(ip)]);
        let counter = reset(id, limits::PASSWORD_RESETS_PER_ADDRESS);
        count(app, &[counter], &HashMap::new()).await?;
    }
    let id = key(&["reset", "account", tenant_slug, &email::folded(email)]);
    let counter = reset(id, limits::PASSWORD_RESETS_PER_ACCOUNT);
    match count(app, &[counter], &HashMap::new()).await {
        Ok(_) => Ok(true),
        Err(Error::RateLimited { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Somebody proved in another way (by a mail of ours) that an account is theirs: their address is
/// known from now on, and whatever others guessed is forgotten.
pub(crate) async fn trust(
    conn: &Conn,
    now: DateTime<Utc>,
    (tenant_slug, email): (&str, &str),
    origin: &Origin,
) -> Result<()> {
    let places = Places::of(tenant_slug, email, origin.ip);
    store::remove(conn, std::iter::once(places.account).chain(places.pair).collect()).await?;
    match places.known {
        Some(known) => store::set(conn, &known, 0, now).await,
        None => Ok(()),
    }
}

/// Removes what no longer means anything.
pub(crate) async fn forget(conn: &Conn, now: DateTime<Utc>) -> Result<u64> {
    store::remove_older(conn, now - TimeDelta::days(limits::KNOWN_ADDRESS_DAYS)).await
}

/// What an attempt to sign in is counted under.
struct Places {
    account: String,
    address: Option<String>,
    /// The account from this address, once the address is known.
    pair: Option<String>,
    known: Option<String>,
}

impl Places {
    fn of(tenant_slug: &str, email: &str, ip: Option<IpAddr>) -> Self {
        let email = email::folded(email);
        let network = ip.map(network);
        let from_here = |word: &str| {
            let network = network.as_deref()?;
            Some(key(&["sign-in", word, tenant_slug, &email, network]))
        };
        Self {
            account: key(&["sign-in", "account", tenant_slug, &email]),
            address: network.as_deref().map(|network| key(&["sign-in", "address", network])),
            pair: from_here("pair"),
            known: from_here("known"),
        }
    }

    fn ids(&self) -> Vec<String> {
        let some = [&self.address, &self.pair, &self.known].into_iter().flatten();
        std::iter::once(&self.account).chain(some).cloned().collect()
    }

    fn is_known(&self, seen: &HashMap<String, Seen>, now: DateTime<Utc>) -> bool {
        let known = self.known.as_ref().and_then(|known| seen.get(known));
        known.is_some_and(|known| now - known.last_at < TimeDelta::days(limits::KNOWN_ADDRESS_DAYS))
    }
}

fn by_account(id: &str) -> Counter {
    Counter {
        id: id.to_owned(),
        free: limits::GUESSES_PER_ACCOUNT,
        wait_max_s: limits::GUESS_WAIT_SECONDS_MAX,
        kept: TimeDelta::hours(limits::GUESSES_KEPT_HOURS),
    }
}

fn by_address(id: &str) -> Counter {
    Counter { free: limits::GUESSES_PER_ADDRESS, kept: TimeDelta::hours(1), ..by_account(id) }
}

/// Counts one guess everywhere, or RATE_LIMITED. Tells whether it was the last free one somewhere.
async fn count(app: &App, counters: &[Counter], seen: &HashMap<String, Seen>) -> Result<bool> {
    let now = app.clock.now();
    // What was read already spares whoever has to wait the write lock, and the others them.
    check(counters, seen, now)?;
    let ids: Vec<String> = counters.iter().map(|counter| counter.id.clone()).collect();
    let conn = app.db.transaction().await?;
    let locked = store::lock(&conn, &ids, now).await?;
    check(counters, &locked, now)?;
    let mut reached = false;
    for counter in counters {
        let failures = counter.next(locked.get(&counter.id).copied(), now);
        reached |= counter.is_reached_by(failures);
        store::set(&conn, &counter.id, failures, now).await?;
    }
    conn.commit().await?;
    Ok(reached)
}

fn check(counters: &[Counter], seen: &HashMap<String, Seen>, now: DateTime<Utc>) -> Result<()> {
    let waits = counters.iter().filter_map(|each| each.wait_s(seen.get(&each.id).copied(), now));
    match waits.max() {
        None => Ok(()),
        Some(seconds) => Err(Error::RateLimited {
            message: say(
                format!("too many attempts: try again in {seconds} s"),
                format!("tentativas demais: tente de novo em {seconds} s"),
            ),
            retry_after_s: seconds,
        }),
    }
}

/// What stands for an address: itself, or the network that one household or machine has (RFC 6177).
fn network(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// One digest of several texts that cannot run into each other.
fn key(parts: &[&str]) -> String {
    let text: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    digest::sha256_hex(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_its_network() {
        let ids: Vec<_> =
            ["203.0.113.7", "::ffff:203.0.113.7"].map(|ip| network(ip.parse().unwrap())).into();
        assert_eq!(ids, ["203.0.113.7", "203.0.113.7"]);
        let (one, same, other) = ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::9", "2001:db8:1:3::9");
        let network = |ip: &str| network(ip.parse().unwrap());
        assert_eq!(network(one), network(same));
        assert_ne!(network(one), network(other));
    }

    #[test]
    fn keys_do_not_run_into_each_other() {
        assert_ne!(key(&["a", "bc"]), key(&["ab", "c"]));
        let places = Places::of("alpha", " Ana@Example.COM ", None);
        assert_eq!(places.account, Places::of("alpha", "ana@example.com", None).account);
        assert_ne!(places.account, Places::of("beta", "ana@example.com", None).account);
        assert_eq!(places.ids().len(), 1);
    }
}
