//! Everything that the database holds of a tenant, to see whether anything of it was changed.

use std::collections::BTreeMap;

use crate::support::seed::Tenant;
use crate::support::{Backend, TestApp};

/// A tenant's rows by table, as text.
pub struct Whole(BTreeMap<String, Vec<String>>);

impl Whole {
    /// The tables whose rows are others than they were.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let changed = self.0.iter().filter(|(table, rows)| before.0.get(*table) != Some(*rows));
        changed.map(|(table, _)| table.clone()).collect()
    }

    /// The tables that hold this text.
    pub fn tables_with(&self, text: &str) -> Vec<String> {
        let holds = |rows: &&Vec<String>| rows.iter().any(|row| row.contains(text));
        let tables = self.0.iter().filter(|(_, rows)| holds(rows));
        tables.map(|(table, _)| table.clone()).collect()
    }

    /// How many rows there are in all.
    pub fn rows(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

/// Written beside the answer whenever a key is used.
const NOT_COMPARED: &str = "last_used_at";

impl TestApp {
    /// All rows of a tenant, in every table that has tenants.
    pub async fn whole(&self, tenant: &Tenant) -> Whole {
        let postgres = self.database.backend == Backend::Postgres;
        let mut whole = BTreeMap::new();
        for table in self.tables_of_tenants().await {
            let row = if postgres {
                format!("CAST(to_jsonb(t.*) - '{NOT_COMPARED}' AS text)")
            } else {
                let sql = format!(
                    "SELECT name FROM pragma_table_info('{table}') \
                     WHERE name <> '{NOT_COMPARED}' AND ? IS NOT NULL"
                );
                let columns = self.read_sql(tenant, &sql, Vec::new()).await;
                let columns: Vec<String> = columns
                    .iter()
                    .map(|column| format!("quote({})", column.text(0).unwrap().unwrap()))
                    .collect();
                columns.join(" || ' ' || ")
            };
            let sql = format!("SELECT {row} FROM {table} t WHERE t.tenant_id = ?");
            let rows = self.read_sql(tenant, &sql, Vec::new()).await;
            let mut rows: Vec<String> =
                rows.iter().map(|row| row.text(0).unwrap().unwrap_or_default()).collect();
            rows.sort_unstable();
            whole.insert(table, rows);
        }
        assert!(whole.len() > 15, "{:?}", whole.keys());
        Whole(whole)
    }
}
