//! The tables that hold rows of tenants, as the database's own catalogue has them.

use super::seed::Tenant;
use super::{Backend, TestApp};

impl TestApp {
    /// Every table with a column `tenant_id`.
    pub async fn tables_of_tenants(&self) -> Vec<String> {
        self.catalogue(match self.database.backend {
            Backend::Postgres => {
                "SELECT CAST(c.relname AS text) FROM pg_class c \
                 JOIN pg_attribute a ON a.attrelid = c.oid \
                 WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
                 AND CAST(? AS uuid) IS NOT NULL"
            }
            Backend::Sqlite => {
                "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND c.name = 'tenant_id' AND ? IS NOT NULL"
            }
        })
        .await
    }

    /// The columns of a table, but for the number of the row that SQLite's search needs.
    pub async fn columns_of(&self, table: &str) -> Vec<String> {
        let sql = match self.database.backend {
            Backend::Postgres => format!(
                "SELECT CAST(attname AS text) FROM pg_attribute WHERE attrelid = '{table}'::regclass \
                 AND attnum > 0 AND NOT attisdropped AND CAST(? AS uuid) IS NOT NULL"
            ),
            Backend::Sqlite => format!(
                "SELECT name FROM pragma_table_info('{table}') WHERE name <> 'seq' AND ? IS NOT NULL"
            ),
        };
        self.catalogue(&sql).await
    }

    async fn catalogue(&self, sql: &str) -> Vec<String> {
        let nobody: &Tenant = &self.alpha;
        let rows = self.read_sql(nobody, sql, Vec::new()).await;
        rows.iter().map(|row| row.text(0).unwrap().unwrap()).collect()
    }
}
