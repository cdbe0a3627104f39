//! Forgetting a person: the personal values of a record's entries and their salts go, the digests
//! stay, and the chain still agrees.

use uuid::Uuid;

use super::{Author, Entry, append_by, store};
use crate::access::Permit;
use crate::clock::Clock;
use crate::db::Conn;
use crate::error::Result;

/// Removes every personal value from the entries about one record, in the transaction of `conn`,
/// and writes that it was done (`audit.erase`); the number of entries that held some. What other
/// records tell of the same person is erased with them, each by a call of its own.
pub async fn erase(
    clock: &Clock,
    conn: &Conn,
    permit: &impl Permit,
    author: Author<'_>,
    (resource, id): (&'static str, Uuid),
) -> Result<u64> {
    let erased = forget(conn, permit, resource, vec![id]).await?;
    let entry = Entry {
        action: store::ERASE.to_owned(),
        resource,
        resource_id: id,
        old: None,
        new: Some(serde_json::json!({ "entries": erased })),
    };
    append_by(clock, conn, permit, author, vec![entry]).await?;
    Ok(erased)
}

/// As [`erase`], for records that are removed for good by the same transaction: the entry of their
/// removal says so already.
pub(crate) async fn forget(
    conn: &Conn,
    permit: &impl Permit,
    resource: &str,
    ids: Vec<Uuid>,
) -> Result<u64> {
    // The sealer marks the same rows: whoever holds the head goes first, so that the two never wait
    // for each other in a circle.
    store::head(conn, permit, true).await?;
    store::forget(conn, permit, resource, ids).await
}
