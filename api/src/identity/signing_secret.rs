//! The secret that signs tokens where none was set: made by the first node, kept in the database,
//! and so the same for all of them. Who can read it there can read everything else too.

use uuid::Uuid;

use crate::access::SystemHandle;
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::db::{Conn, Db, Statement, Value};
use crate::error::{Error, Result};

/// Its row's id.
const NAME: &str = "jwt";

/// Completes the configuration of an installation on PostgreSQL that was given no signing secret.
/// The tables must be there.
pub async fn complete(config: &mut Config, db: &Db, clock: &Clock) -> Result<()> {
    if config.identity.jwt_secret.is_some() || config.database.url.is_embedded() {
        return Ok(());
    }
    let conn = db.single_read().await?;
    let kept = read(&conn).await?;
    drop(conn);
    let secret = match kept {
        Some(kept) => kept,
        None => make(db, clock).await?,
    };
    config.identity.jwt_secret = Some(secret);
    Ok(())
}

/// Of several nodes that begin at once, one makes it and all read that one.
async fn make(db: &Db, clock: &Clock) -> Result<Secret> {
    let conn = db.transaction().await?;
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "INSERT INTO server_secrets (tenant_id, id, value, created_at) \
         VALUES ({}, {}, {}, {}) ON CONFLICT (tenant_id, id) DO NOTHING",
        place(1),
        place(2),
        place(3),
        place(4)
    );
    let secret = Value::Text(Secret::random().reveal().to_owned());
    let values = vec![Value::Id(Uuid::nil()), NAME.into(), secret, Value::Instant(clock.now())];
    conn.execute(&nobody(), &Statement::new(sql, values)).await?;
    let kept = read(&conn).await?;
    conn.commit().await?;
    kept.ok_or_else(|| Error::internal("the signing secret was not kept"))
}

async fn read(conn: &Conn) -> Result<Option<Secret>> {
    let sql = format!(
        "SELECT value FROM server_secrets WHERE tenant_id = {} AND id = {}",
        conn.dialect().placeholder(1),
        conn.dialect().placeholder(2)
    );
    let values = vec![Value::Id(Uuid::nil()), NAME.into()];
    let row = conn.row(&nobody(), &Statement::new(sql, values)).await?;
    Ok(row.map(|row| row.text(0)).transpose()?.flatten().map(Secret::new))
}

fn nobody() -> SystemHandle {
    SystemHandle::for_tenant(Uuid::nil())
}
