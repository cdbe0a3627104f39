//! What all readers stand on: the schema, the table of readers, the role that owns the views, and
//! row-level security on the tables. Made with the first reader, gone with the last.

use sea_orm::ConnectionTrait;

use super::{LOCK_TIMEOUT, SCHEMA, Site, is_there, quoted, run, texts};
use crate::access::Permit;
use crate::db::migrate::MIGRATION_LOCK;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};

const GUARDED: &str = "SELECT 1 FROM pg_policy WHERE polname = 'bi_tenant' LIMIT 1";
/// Takes away what depends on columns of the tables. Readers and their roles stay.
const STEP_ASIDE: &str = "DO $$ DECLARE item record; BEGIN \
    IF to_regclass('bi.readers') IS NOT NULL THEN \
      FOR item IN SELECT c.oid::regclass AS name FROM pg_class c \
        JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind = 'v' AND (n.nspname = 'bi' \
        OR n.nspname IN (SELECT schema_name FROM bi.readers)) \
      LOOP EXECUTE format('DROP VIEW %s', item.name); END LOOP; \
    END IF; \
    FOR item IN SELECT polrelid::regclass AS name FROM pg_policy WHERE polname = 'bi_tenant' \
    LOOP EXECUTE format('DROP POLICY bi_tenant ON %s', item.name); \
      EXECUTE format('DROP POLICY bi_everybody ON %s', item.name); \
      EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', item.name); END LOOP; \
    END $$";

/// Makes room for a migration, in its transaction: views and policies hold on to columns.
pub(in crate::db) async fn step_aside(transaction: &impl ConnectionTrait) -> Result<()> {
    match migration::Dialect::of(transaction.get_database_backend())? {
        migration::Dialect::Postgres => {}
        migration::Dialect::Sqlite => return Ok(()),
    }
    if transaction.execute_unprepared(GUARDED).await?.rows_affected() > 0 {
        transaction.execute_unprepared(STEP_ASIDE).await?;
        tracing::warn!(
            "the views of SQL readers are taken away for a migration: when it is done, run \
             `pulso admin bi-role refresh`"
        );
    }
    Ok(())
}

/// Waits for other changes of this kind, and for migrations.
pub async fn lock(conn: &Conn, permit: &impl Permit) -> Result<()> {
    run(conn, permit, format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
    run(conn, permit, LOCK_TIMEOUT).await
}

/// Makes the schema, the table of readers and the owner of views, where they are missing.
pub async fn prepare(conn: &Conn, permit: &impl Permit, site: &Site) -> Result<()> {
    lock(conn, permit).await?;
    let owner = quoted(&site.owner);
    if !role_exists(conn, permit, &site.owner).await? {
        run(conn, permit, format!("CREATE ROLE {owner} NOLOGIN NOINHERIT")).await?;
    }
    if !is_there(conn, permit, "SELECT 1 WHERE to_regclass('bi.readers') IS NOT NULL", vec![])
        .await?
    {
        let taken = "SELECT 1 FROM pg_namespace WHERE nspname = 'bi'";
        if is_there(conn, permit, taken, vec![]).await? {
            return Err(Error::conflict(say(
                "there is a schema \"bi\" that is somebody else's: rename it",
                "já existe um schema \"bi\" de outra pessoa: renomeie-o",
            )));
        }
        run(conn, permit, format!("CREATE SCHEMA {SCHEMA}")).await?;
        let readers = "CREATE TABLE bi.readers (role_name name PRIMARY KEY, \
                       tenant_id uuid NOT NULL, schema_name name NOT NULL, fields_of text, \
                       created_at timestamptz NOT NULL)";
        run(conn, permit, readers).await?;
    }
    let tenants = site.table("tenants");
    for grant in [
        format!("GRANT USAGE ON SCHEMA {SCHEMA} TO {owner}"),
        format!("GRANT SELECT (role_name, tenant_id) ON {SCHEMA}.readers TO {owner}"),
        format!("GRANT SELECT (id, suspended_at) ON {tenants} TO {owner}"),
    ] {
        run(conn, permit, grant).await?;
    }
    Ok(())
}

/// Puts a table under row-level security. To be called in a transaction for each table: it waits for
/// all who use the table, and whoever holds one table only deadlocks with nobody.
pub async fn guard(conn: &Conn, permit: &impl Permit, site: &Site, table: &str) -> Result<()> {
    lock(conn, permit).await?;
    let name = site.table(table);
    let ours = "SELECT 1 FROM pg_policy WHERE polname = 'bi_tenant' AND polrelid = $1::regclass";
    if is_there(conn, permit, ours, vec![Value::Text(name.clone())]).await? {
        return Ok(());
    }
    let theirs = "SELECT 1 FROM pg_class WHERE oid = $1::regclass AND relrowsecurity";
    if is_there(conn, permit, theirs, vec![Value::Text(name.clone())]).await? {
        return Err(Error::conflict(say(
            format!("the table {table} has row-level security of somebody else's"),
            format!("a tabela {table} tem row-level security de outra pessoa"),
        )));
    }
    let (owner, tenant) = (quoted(&site.owner), site.tenant());
    for step in [
        format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"),
        // Who may read the table, but does not own it, goes on seeing what they saw.
        format!("CREATE POLICY bi_everybody ON {name} TO PUBLIC USING (true) WITH CHECK (true)"),
        format!(
            "CREATE POLICY bi_tenant ON {name} AS RESTRICTIVE TO {owner} USING (tenant_id = {tenant})"
        ),
    ] {
        run(conn, permit, step).await?;
    }
    Ok(())
}

/// The tables under our row-level security.
pub async fn guarded(conn: &Conn, permit: &impl Permit) -> Result<Vec<String>> {
    let sql =
        "SELECT polrelid::regclass::text FROM pg_policy WHERE polname = 'bi_tenant' ORDER BY 1";
    texts(conn, permit, sql, vec![]).await
}

/// Undoes [`guard`]; `table` is a name that [`guarded`] gave.
pub async fn release(conn: &Conn, permit: &impl Permit, table: &str) -> Result<()> {
    lock(conn, permit).await?;
    for step in [
        format!("DROP POLICY IF EXISTS bi_tenant ON {table}"),
        format!("DROP POLICY IF EXISTS bi_everybody ON {table}"),
        format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
    ] {
        run(conn, permit, step).await?;
    }
    Ok(())
}

/// Undoes [`prepare`], when no reader is left and no table is guarded.
pub async fn clear(conn: &Conn, permit: &impl Permit, site: &Site) -> Result<()> {
    lock(conn, permit).await?;
    if is_there(conn, permit, "SELECT 1 FROM bi.readers LIMIT 1", vec![]).await? {
        return Ok(());
    }
    let owner = quoted(&site.owner);
    let granted = "SELECT DISTINCT objid::regclass::text FROM pg_shdepend \
                   WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_authid'::regclass \
                   AND deptype = 'a' AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1) \
                   AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
    for table in texts(conn, permit, granted, vec![Value::Text(site.owner.clone())]).await? {
        run(conn, permit, format!("REVOKE ALL ON {table} FROM {owner}")).await?;
    }
    for step in [
        format!("DROP TABLE {SCHEMA}.readers"),
        format!("DROP SCHEMA {SCHEMA}"),
        format!("DROP ROLE {owner}"),
    ] {
        run(conn, permit, step).await?;
    }
    Ok(())
}

pub(super) async fn role_exists(conn: &Conn, permit: &impl Permit, name: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM pg_roles WHERE rolname = $1";
    is_there(conn, permit, sql, vec![Value::from(name)]).await
}
