//! Roles of PostgreSQL for direct SQL readers (Metabase, Grafana): each sees one tenant, through views.
//!
//! What keeps tenants apart, in two layers that do not trust each other:
//! - the tables have row-level security. The views are owned by a role of their own, which may read
//!   only the columns they show, and for which a restrictive policy holds. The server owns the tables
//!   (ENABLE, not FORCE), so nothing changes for it; for everybody else a policy says `true`;
//! - each view asks for the tenant again, behind `security_barrier`.
//!
//! Which tenant that is stands in `bi.readers`, by `session_user`: the name somebody signed in with.
//! Unlike a setting it cannot be changed by SET, and readers have no right on that table.
//!
//! A migration takes views and policies away (`ground::step_aside`); they are made again by
//! `pulso admin bi-role refresh`. Until then a reader sees nothing.

pub mod ground;
pub mod readers;
pub mod views;

use super::{Conn, Dialect, Statement, Value};
use crate::access::Permit;
use crate::error::{Error, Result, say};

/// Where the views are that show what everybody may see, and the table of readers.
pub const SCHEMA: &str = "bi";
/// Longer names are cut by PostgreSQL, and then they are others' names.
const NAME_BYTES_MAX: usize = 63;
/// How long a table may be waited for: whoever comes after us waits as long.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s'";

/// What we are in this database.
#[derive(Debug, Clone)]
pub struct Site {
    database: String,
    is_superuser: bool,
    owns_database: bool,
    /// The schema of the server's tables, quoted.
    tables_in: String,
    /// Owns the views. Roles are the whole server's, so its name says the database.
    owner: String,
}

impl Site {
    /// Looks, and refuses where the right is missing to make roles, policies and views.
    pub async fn find(conn: &Conn, permit: &impl Permit) -> Result<Self> {
        match conn.dialect() {
            Dialect::Postgres => {}
            Dialect::Sqlite => {
                return Err(Error::Unsupported {
                    message: say(
                        "roles for SQL readers need PostgreSQL: SQLite knows no roles",
                        "papéis para leitores SQL precisam do PostgreSQL: o SQLite não tem papéis",
                    ),
                });
            }
        }
        let sql = "SELECT d.datname::text, d.oid::int8, r.rolsuper, r.rolcreaterole, \
                   pg_has_role(d.datdba, 'USAGE'), has_database_privilege(d.oid, 'CREATE'), \
                   pg_has_role(c.relowner, 'USAGE'), quote_ident(n.nspname), current_user::text \
                   FROM pg_database d JOIN pg_roles r ON r.rolname = current_user \
                   LEFT JOIN pg_class c ON c.oid = to_regclass('tenants') \
                   LEFT JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE d.datname = current_database()";
        let row = conn.row(permit, &Statement::new(sql, Vec::new())).await?;
        let row = row.ok_or_else(|| Error::internal("a database without a name"))?;
        let is = |place| row.bool(place).map(|is| is == Some(true));
        let word = |place| row.text(place).map(Option::unwrap_or_default);
        let (database, user) = (word(0)?, word(8)?);
        let is_superuser = is(2)?;
        if !is_superuser && !is(3)? {
            return Err(lacking(&user, &format!("ALTER ROLE {} CREATEROLE", quoted(&user))));
        }
        if !is(6)? {
            return Err(not_the_owner(&user));
        }
        if !is(5)? {
            let grant = format!("GRANT CREATE ON DATABASE {}", quoted(&database));
            return Err(lacking(&user, &format!("{grant} TO {}", quoted(&user))));
        }
        Ok(Self {
            database,
            is_superuser,
            owns_database: is(4)?,
            tables_in: word(7)?,
            owner: format!("pulso_bi_views_{}", row.int(1)?.unwrap_or_default()),
        })
    }

    /// The tenant whose rows this session may see, as an expression; null for everybody else.
    fn tenant(&self) -> String {
        format!(
            "(SELECT r.tenant_id FROM {SCHEMA}.readers r \
             JOIN {}.tenants n ON n.id = r.tenant_id \
             WHERE r.role_name = session_user AND n.suspended_at IS NULL)",
            self.tables_in
        )
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{}", self.tables_in, quoted(name))
    }
}

/// Refuses what PostgreSQL would cut, or keeps for itself.
pub fn checked_name(name: &str) -> Result<()> {
    let is_reserved = name.starts_with("pg_") || ["public", "none", SCHEMA].contains(&name);
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
    if fits && !is_reserved && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::invalid_field(
        "name",
        say(
            format!("a role's name has 1 to {NAME_BYTES_MAX} bytes and does not begin with pg_"),
            format!("o nome de um papel tem de 1 a {NAME_BYTES_MAX} bytes e não começa com pg_"),
        ),
    ))
}

/// A name as an identifier, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a literal, whatever is in it and however the server reads backslashes.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

async fn run(conn: &Conn, permit: &impl Permit, sql: impl Into<String>) -> Result<()> {
    conn.execute(permit, &Statement::new(sql, Vec::new())).await.map(drop)
}

async fn texts(
    conn: &Conn,
    permit: &impl Permit,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<String>> {
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    rows.iter().map(|row| row.text(0).map(Option::unwrap_or_default)).collect()
}

/// Whether the query gives a row.
async fn is_there(
    conn: &Conn,
    permit: &impl Permit,
    sql: &str,
    values: Vec<Value>,
) -> Result<bool> {
    Ok(conn.row(permit, &Statement::new(sql, values)).await?.is_some())
}

fn lacking(user: &str, remedy: &str) -> Error {
    Error::forbidden(say(
        format!("the database user \"{user}\" may not do this; an administrator can say: {remedy}"),
        format!(
            "o usuário do banco \"{user}\" não pode fazer isso; um administrador pode dizer: {remedy}"
        ),
    ))
}

fn not_the_owner(user: &str) -> Error {
    Error::forbidden(say(
        format!("the database user \"{user}\" does not own the tables: use the one that migrates"),
        format!("o usuário do banco \"{user}\" não é dono das tabelas: use o que faz as migrações"),
    ))
}
