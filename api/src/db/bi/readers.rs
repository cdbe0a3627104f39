//! The roles that readers sign in with, and the tenant of each.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::ground::role_exists;
use super::{SCHEMA, Site, is_there, quoted, run, texts};
use crate::access::Permit;
use crate::db::{Conn, NullOf, Statement, Value};
use crate::error::{Error, Result, say};

/// What keeps a reader from harm by accident. A reader may change all but the number of connections.
const CONNECTIONS_MAX: u8 = 8;
const SETTINGS: [&str; 4] = [
    "default_transaction_read_only = on",
    "statement_timeout = '60s'",
    "idle_in_transaction_session_timeout = '60s'",
    "lock_timeout = '5s'",
];

/// A role and what it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    pub role: String,
    pub tenant_id: Uuid,
    /// Where its views are.
    pub schema: String,
    /// The tenant's role whose fields it sees; the usual ones when there is none.
    pub fields_of: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl Reader {
    /// Whether its views are its own.
    pub fn has_own_schema(&self) -> bool {
        self.schema != SCHEMA
    }
}

/// All readers of this database, by name.
pub async fn list(conn: &Conn, permit: &impl Permit) -> Result<Vec<Reader>> {
    let known = "SELECT 1 WHERE to_regclass('bi.readers') IS NOT NULL";
    if !is_there(conn, permit, known, vec![]).await? {
        return Ok(Vec::new());
    }
    let sql = "SELECT role_name::text, tenant_id, schema_name::text, fields_of, created_at \
               FROM bi.readers ORDER BY role_name";
    let rows = conn.rows(permit, &Statement::new(sql, Vec::new())).await?;
    rows.iter()
        .map(|row| {
            Ok(Reader {
                role: row.text(0)?.unwrap_or_default(),
                tenant_id: row.required_id(1)?,
                schema: row.text(2)?.unwrap_or_default(),
                fields_of: row.text(3)?,
                created_at: row.instant(4)?.unwrap_or_default(),
            })
        })
        .collect()
}

/// Makes the role and the schema of its own, where it has one. Its views are made by
/// [`super::views::rebuild`]. The password does not leave this process: the server gets a verifier.
pub async fn create(
    conn: &Conn,
    permit: &impl Permit,
    site: &Site,
    reader: &Reader,
    password: &str,
) -> Result<()> {
    if role_exists(conn, permit, &reader.role).await? {
        return Err(taken(&reader.role));
    }
    let (role, schema) = (quoted(&reader.role), quoted(&reader.schema));
    if reader.has_own_schema() {
        let used = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
        if is_there(conn, permit, used, vec![Value::from(reader.schema.as_str())]).await? {
            return Err(taken(&reader.schema));
        }
        run(conn, permit, format!("CREATE SCHEMA {schema}")).await?;
    }
    // Letters, digits and $:=+/ only, by its own documentation.
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let sql = format!(
        "CREATE ROLE {role} LOGIN NOINHERIT CONNECTION LIMIT {CONNECTIONS_MAX} PASSWORD '{verifier}'"
    );
    run(conn, permit, sql).await?;
    for setting in SETTINGS {
        run(conn, permit, format!("ALTER ROLE {role} SET {setting}")).await?;
    }
    run(conn, permit, format!("ALTER ROLE {role} SET search_path = {schema}")).await?;
    if site.owns_database {
        let database = quoted(&site.database);
        run(conn, permit, format!("GRANT CONNECT ON DATABASE {database} TO {role}")).await?;
        // PostgreSQL lets everybody make temporary tables, which is writing.
        run(conn, permit, format!("REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")).await?;
    }
    let sql = "INSERT INTO bi.readers (role_name, tenant_id, schema_name, fields_of, created_at) \
               VALUES ($1, $2, $3, $4, $5)";
    let values = vec![
        Value::Text(reader.role.clone()),
        Value::Id(reader.tenant_id),
        Value::Text(reader.schema.clone()),
        reader.fields_of.clone().map_or(Value::Null(NullOf::Text), Value::Text),
        Value::Instant(reader.created_at),
    ];
    conn.execute(permit, &Statement::new(sql, values)).await.map(drop)
}

/// Removes the role and its own schema. Views that it shares must have been cleared before, and are
/// to be made again for those who stay.
pub async fn remove(conn: &Conn, permit: &impl Permit, site: &Site, reader: &Reader) -> Result<()> {
    let (role, schema) = (quoted(&reader.role), quoted(&reader.schema));
    let sql = "DELETE FROM bi.readers WHERE role_name = $1";
    conn.execute(permit, &Statement::new(sql, vec![Value::Text(reader.role.clone())])).await?;
    let exists = role_exists(conn, permit, &reader.role).await?;
    if reader.has_own_schema() {
        super::views::clear(conn, permit, &reader.schema).await?;
        run(conn, permit, format!("DROP SCHEMA IF EXISTS {schema}")).await?;
    } else if exists {
        run(conn, permit, format!("REVOKE ALL ON SCHEMA {schema} FROM {role}")).await?;
    }
    if !exists {
        return Ok(());
    }
    if site.owns_database {
        let database = quoted(&site.database);
        run(conn, permit, format!("REVOKE ALL ON DATABASE {database} FROM {role}")).await?;
    }
    let held = "SELECT 1 FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass \
                AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1)";
    if is_there(conn, permit, held, vec![Value::Text(reader.role.clone())]).await? {
        return Err(Error::conflict(say(
            format!(
                "the role \"{}\" was given other rights or objects: take them away first (DROP OWNED BY)",
                reader.role
            ),
            format!(
                "o papel \"{}\" recebeu outros direitos ou objetos: retire-os antes (DROP OWNED BY)",
                reader.role
            ),
        )));
    }
    run(conn, permit, format!("DROP ROLE {role}")).await
}

/// Refuses a reader that sees more than its views: somebody gave everybody rights on tables. Returns
/// what is left open for lack of rights of our own, as sentences.
pub async fn inspect(conn: &Conn, permit: &impl Permit, reader: &Reader) -> Result<Vec<String>> {
    let role = || Value::Text(reader.role.clone());
    let sql = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
               JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' \
               AND n.nspname NOT LIKE 'pg\\_%' AND NOT (c.relkind = 'v' AND n.nspname = $2) \
               AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
               AND d.objid = c.oid AND d.deptype = 'e') \
               AND has_schema_privilege($1::name, n.oid, 'USAGE') \
               AND (has_table_privilege($1::name, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') \
               OR has_any_column_privilege($1::name, c.oid, 'SELECT, INSERT, UPDATE')) \
               ORDER BY 1 LIMIT 5";
    let open = texts(conn, permit, sql, vec![role(), Value::Text(reader.schema.clone())]).await?;
    if !open.is_empty() {
        let open = open.join(", ");
        return Err(Error::conflict(say(
            format!("everybody may use {open}: a reader would see it too; REVOKE that FROM PUBLIC"),
            format!(
                "todos podem usar {open}: um leitor também veria; faça REVOKE disso FROM PUBLIC"
            ),
        )));
    }
    let sql = "SELECT format('This role may make temporary tables; the owner of the database can say: \
               REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()) \
               WHERE has_database_privilege($1::name, current_database(), 'TEMPORARY') \
               UNION ALL SELECT format('This role may make tables; the owner of the schema can say: \
               REVOKE CREATE ON SCHEMA %I FROM PUBLIC', n.nspname) FROM pg_namespace n \
               WHERE has_schema_privilege($1::name, n.oid, 'CREATE')";
    texts(conn, permit, sql, vec![role()]).await
}

fn taken(name: &str) -> Error {
    Error::conflict_field(
        "name",
        say(
            format!("\"{name}\" is there already and not ours: choose another --name"),
            format!("\"{name}\" já existe e não é nosso: escolha outro --name"),
        ),
    )
}
