//! The views that readers see. They are made again as a whole, with everybody's rights on them: a
//! view that comes to be is nobody's but the server's until its last step.

use super::ground::role_exists;
use super::{Site, literal, quoted, run, texts};
use crate::access::Permit;
use crate::db::{Conn, Value};
use crate::error::Result;

/// What is shown of one table.
#[derive(Debug, Clone)]
pub struct View {
    /// Of the table, and of the view.
    pub name: &'static str,
    pub about: &'static str,
    /// Only rows whose `deleted_at` is null.
    pub living_only: bool,
    pub columns: Vec<Column>,
}

#[derive(Debug, Clone)]
pub struct Column {
    /// Of the table, and of the view.
    pub name: &'static str,
    pub about: &'static str,
    /// The type that it has in the view, as documents call it.
    pub shown_as: &'static str,
    /// Stored in hundredths, shown as a decimal number.
    pub in_hundredths: bool,
}

impl Column {
    fn expression(&self) -> String {
        let name = quoted(self.name);
        if self.in_hundredths {
            // Exact: a product of numerics has as many decimals as both together.
            format!("(t.{name} * 0.01)::numeric(19, 2) AS {name}")
        } else {
            format!("t.{name}")
        }
    }
}

/// Makes all views of a schema again, for these roles.
pub async fn rebuild(
    conn: &Conn,
    permit: &impl Permit,
    site: &Site,
    schema: &str,
    (views, roles): (&[View], &[String]),
) -> Result<()> {
    clear(conn, permit, schema).await?;
    let mut living = Vec::new();
    for role in roles {
        // An administrator may have dropped it by hand.
        if role_exists(conn, permit, role).await? {
            living.push(quoted(role));
        }
    }
    let (owner, schema) = (quoted(&site.owner), quoted(schema));
    // To give a view away, one must be a member of who gets it, and they must be able to make it.
    if !site.is_superuser {
        run(conn, permit, format!("GRANT {owner} TO CURRENT_USER")).await?;
    }
    run(conn, permit, format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner}")).await?;
    for role in &living {
        run(conn, permit, format!("GRANT USAGE ON SCHEMA {schema} TO {role}")).await?;
    }
    for view in views {
        build(conn, permit, site, &schema, (view, &living)).await?;
    }
    run(conn, permit, format!("REVOKE CREATE ON SCHEMA {schema} FROM {owner}")).await?;
    if !site.is_superuser {
        run(conn, permit, format!("REVOKE {owner} FROM CURRENT_USER")).await?;
    }
    Ok(())
}

/// Removes all views of a schema.
pub async fn clear(conn: &Conn, permit: &impl Permit, schema: &str) -> Result<()> {
    let sql = "SELECT c.oid::regclass::text FROM pg_class c \
               JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind = 'v' AND n.nspname = $1";
    for view in texts(conn, permit, sql, vec![Value::from(schema)]).await? {
        run(conn, permit, format!("DROP VIEW {view}")).await?;
    }
    Ok(())
}

async fn build(
    conn: &Conn,
    permit: &impl Permit,
    site: &Site,
    schema: &str,
    (view, roles): (&View, &[String]),
) -> Result<()> {
    let (owner, table) = (quoted(&site.owner), site.table(view.name));
    let name = format!("{schema}.{}", quoted(view.name));
    let columns: Vec<String> = view.columns.iter().map(Column::expression).collect();
    let living = if view.living_only { " AND t.deleted_at IS NULL" } else { "" };
    let sql = format!(
        "CREATE VIEW {name} WITH (security_barrier = true) AS \
         SELECT {} FROM {table} AS t WHERE t.tenant_id = {}{living}",
        columns.join(", "),
        site.tenant()
    );
    run(conn, permit, sql).await?;
    let about = literal(view.about);
    run(conn, permit, format!("COMMENT ON VIEW {name} IS {about}")).await?;
    for column in view.columns.iter().filter(|column| !column.about.is_empty()) {
        let (column, about) = (quoted(column.name), literal(column.about));
        run(conn, permit, format!("COMMENT ON COLUMN {name}.{column} IS {about}")).await?;
    }
    for role in roles {
        run(conn, permit, format!("GRANT SELECT ON {name} TO {role}")).await?;
    }
    let mut needed: Vec<String> = view.columns.iter().map(|column| quoted(column.name)).collect();
    needed.push("tenant_id".to_owned());
    if view.living_only {
        needed.push("deleted_at".to_owned());
    }
    let grant = format!("GRANT SELECT ({}) ON {table} TO {owner}", needed.join(", "));
    run(conn, permit, grant).await?;
    run(conn, permit, format!("ALTER VIEW {name} OWNER TO {owner}")).await
}
