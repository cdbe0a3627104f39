//! `pulso doctor`: what this installation would run with, for whoever has to find out why it does not.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::flags::CommandFlags;
use super::{Done, Failure, configured, connect, print};
use crate::access::SystemHandle;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Conn, Db, Dialect, Row, Statement, migrate};
use crate::error::{Error, Result};

/// Tokens are judged, and shared limits counted, by clocks that should not differ by more.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

pub(super) async fn run(flags: CommandFlags) -> Done {
    let config = configured(flags)?;
    print(&format!("pulso {}\n\nSettings", env!("CARGO_PKG_VERSION")))?;
    for (key, value, source) in config.shown() {
        print(&format!("  {key:28} {value}  [{source}]"))?;
    }
    print("\nDatabase")?;
    let db = connect(&config).await?;
    let state = database(&config, &db).await;
    db.close().await;
    state
}

async fn database(config: &Config, db: &Db) -> Done {
    db.ping().await?;
    print(&format!("  {} answers ({})", config.database.url, db.dialect().name()))?;
    for line in facts(db, &Clock::system()).await? {
        print(&format!("  {line}"))?;
    }
    migrations(db).await
}

/// The steps of this binary and of the database, compared. Steps that only the database knows are a
/// newer version's, and fine.
async fn migrations(db: &Db) -> Done {
    let steps = migrate::status(&db.migration_connection()).await?;
    let pending: Vec<&str> =
        steps.iter().filter(|(_, applied)| !applied).map(|(name, _)| name.as_str()).collect();
    print(&format!(
        "  migrations: {} applied, {} pending",
        steps.len() - pending.len(),
        pending.len()
    ))?;
    for name in &pending {
        print(&format!("    pending {name}"))?;
    }
    if pending.is_empty() {
        Ok(())
    } else {
        Err(Failure::Failed("migrations are pending: pulso migrate up".to_owned()))
    }
}

/// What the database says of itself, a line each.
async fn facts(db: &Db, clock: &Clock) -> Result<Vec<String>> {
    let conn = db.single_read().await?;
    match conn.dialect() {
        Dialect::Postgres => {
            let mut lines = vec![server(&conn, clock).await?];
            lines.push(extension(&conn).await?);
            lines.extend(partitions(&conn).await?);
            Ok(lines)
        }
        Dialect::Sqlite => {
            let version = ask(
                &conn,
                "SELECT sqlite_version(), compile_options FROM pragma_compile_options \
                 WHERE compile_options LIKE 'ENABLE_FTS5%'",
            )
            .await?;
            let version = version.first().map(|row| text(row, 0)).transpose()?;
            Ok(vec![match version {
                Some(version) => format!("version {version}, with full-text search"),
                None => "the full-text search (FTS5) is missing".to_owned(),
            }])
        }
    }
}

async fn server(conn: &Conn, clock: &Clock) -> Result<String> {
    let sql = "SELECT current_setting('server_version'), clock_timestamp(), \
               current_setting('max_connections')";
    let before = clock.now();
    let rows = ask(conn, sql).await?;
    let after = clock.now();
    let row = rows.first().ok_or_else(|| Error::internal("no answer"))?;
    let theirs = row.instant(1)?.ok_or_else(|| Error::internal("no time"))?;
    let (version, connections) = (text(row, 0)?, text(row, 2)?);
    Ok(format!(
        "version {version}, at most {connections} connections; {}",
        skew(theirs, before, after)
    ))
}

/// The database's time lies between the two readings of ours if the clocks agree.
fn skew(theirs: DateTime<Utc>, before: DateTime<Utc>, after: DateTime<Utc>) -> String {
    let off =
        if theirs < before { theirs - before } else { (theirs - after).max(TimeDelta::zero()) };
    let ms = off.num_milliseconds();
    if off.abs() > SKEW_MAX {
        format!("its clock is off by {ms} ms: let both keep the time (NTP)")
    } else {
        format!("its clock is off by {ms} ms")
    }
}

async fn extension(conn: &Conn) -> Result<String> {
    let sql = "SELECT e.extversion::text FROM pg_extension e WHERE e.extname = 'pg_trgm'";
    let rows = ask(conn, sql).await?;
    Ok(match rows.first() {
        Some(row) => format!("extension pg_trgm {}", text(row, 0)?),
        None => format!("extension pg_trgm is missing: {}", migration::EXTENSION_REFUSED),
    })
}

/// How far the partitioned tables reach.
async fn partitions(conn: &Conn) -> Result<Vec<String>> {
    let sql = "SELECT p.relname::text, count(*), min(c.relname)::text, max(c.relname)::text \
               FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent \
               JOIN pg_class c ON c.oid = i.inhrelid \
               WHERE p.relkind = 'p' AND p.relnamespace = current_schema()::regnamespace \
               GROUP BY p.relname ORDER BY p.relname";
    let rows = ask(conn, sql).await?;
    rows.iter()
        .map(|row| {
            let count = row.int(1)?.unwrap_or_default();
            let (table, first, last) = (text(row, 0)?, text(row, 2)?, text(row, 3)?);
            Ok(format!("{table}: {count} partitions, {first} to {last}"))
        })
        .collect()
}

async fn ask(conn: &Conn, sql: &str) -> Result<Vec<Row>> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    conn.rows(&system, &Statement::new(sql, Vec::new())).await
}

fn text(row: &Row, index: usize) -> Result<String> {
    row.text(index)?.ok_or_else(|| Error::internal(format!("column {index} is null")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_between_two_readings_is_right() {
        let at = |ms: i64| DateTime::from_timestamp_millis(1_000_000 + ms).unwrap();
        assert_eq!(skew(at(5), at(0), at(10)), "its clock is off by 0 ms");
        assert_eq!(skew(at(-20), at(0), at(10)), "its clock is off by -20 ms");
        assert_eq!(skew(at(30), at(0), at(10)), "its clock is off by 20 ms");
        assert!(skew(at(60_000), at(0), at(10)).contains("NTP"));
    }
}
