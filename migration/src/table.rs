//! A small language for tables, so that a declaration reads like the table it makes:
//!
//! ```ignore
//! Table::record("companies").external().searched().columns([
//!     required("name", Text(255)).folded().sorted(),
//!     optional("owner_id", Id).references("users"),
//! ])
//! ```
//!
//! The rules that every table keeps are applied here once: the tenant first in every key, unique
//! index and foreign key; unique keys and indexes over the living rows only; names by pattern.

use crate::column::Column;
pub(crate) use crate::column::{Kind, optional, required};
use crate::dialect::Dialect;

/// How a table that grows without end is cut, where the database can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partitioning {
    None,
    /// By the month that the UUID v7 id carries.
    ByMonth,
    /// Into a fixed number of parts.
    ByHash(u8),
}

#[derive(Debug, Clone)]
struct Index {
    columns: Vec<String>,
    condition: Option<String>,
    unique: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Table {
    name: &'static str,
    tenant_owned: bool,
    tenant_checked: bool,
    soft_deleted: bool,
    searched: bool,
    columns: Vec<Column>,
    /// Columns that follow the table's own: see [`Table::record`].
    last_columns: Vec<Column>,
    checks: Vec<(&'static str, &'static str)>,
    indexes: Vec<Index>,
    partitioning: Partitioning,
}

impl Table {
    /// The table that all others hang on: keyed by `id` alone.
    pub(crate) fn root(name: &'static str) -> Self {
        Self {
            name,
            tenant_owned: false,
            tenant_checked: false,
            soft_deleted: false,
            searched: false,
            columns: vec![required("id", Kind::Id)],
            last_columns: Vec::new(),
            checks: Vec::new(),
            indexes: Vec::new(),
            partitioning: Partitioning::None,
        }
    }

    /// A table of tenant rows, keyed by `(tenant_id, id)`.
    pub(crate) fn owned(name: &'static str, id: Kind) -> Self {
        let columns = vec![required("tenant_id", Kind::Id), required("id", id)];
        Self { tenant_owned: true, tenant_checked: true, columns, ..Self::root(name) }
    }

    /// A table of records: versioned, soft-deleted, with times and maker.
    pub(crate) fn record(name: &'static str) -> Self {
        Self::record_made_by(name, optional("created_by", Kind::Id).references("users"))
    }

    /// As [`Table::record`], for the one table that is older than `users`.
    pub(crate) fn record_before_users(name: &'static str) -> Self {
        Self::record_made_by(name, optional("created_by", Kind::Id).sorted())
    }

    fn record_made_by(name: &'static str, created_by: Column) -> Self {
        let last_columns = vec![
            required("created_at", Kind::Instant),
            required("updated_at", Kind::Instant),
            optional("deleted_at", Kind::Instant),
            created_by,
            required("version", Kind::Int).default("1"),
        ];
        Self { soft_deleted: true, last_columns, ..Self::owned(name, Kind::Id) }
    }

    pub(crate) fn columns(mut self, columns: impl IntoIterator<Item = Column>) -> Self {
        self.columns.extend(columns);
        self
    }

    /// Rows may come from outside: their system and the id they have there, unique among the living.
    pub(crate) fn external(mut self) -> Self {
        let mut outside = vec![
            optional("external_system", Kind::Text(50)),
            optional("external_id", Kind::Text(200)),
        ];
        outside.append(&mut self.last_columns);
        self.last_columns = outside;
        self.checks.push(("external", "(external_system IS NULL) = (external_id IS NULL)"));
        self.index_on(&["external_system", "external_id"], Some("external_id IS NOT NULL"), true)
    }

    /// Records are listed by the times they were made and last changed.
    pub(crate) fn times_sorted(self) -> Self {
        self.index(&["created_at", "id"]).index(&["updated_at", "id"])
    }

    /// Has `search_text`, the folded words of the record, with a trigram index.
    pub(crate) fn searched(mut self) -> Self {
        self.searched = true;
        self.last_columns.push(required("search_text", Kind::LongText).default("''"));
        self
    }

    pub(crate) fn check(mut self, rule: &'static str, expression: &'static str) -> Self {
        self.checks.push((rule, expression));
        self
    }

    /// Unique per tenant, among the living where rows are soft-deleted.
    pub(crate) fn unique(self, columns: &[&str]) -> Self {
        self.index_on(columns, None, true)
    }

    /// An index over `(tenant_id, columns…)`.
    pub(crate) fn index(self, columns: &[&str]) -> Self {
        self.index_on(columns, None, false)
    }

    pub(crate) fn index_where(self, columns: &[&str], condition: &str) -> Self {
        self.index_on(columns, Some(condition), false)
    }

    fn index_on(mut self, columns: &[&str], condition: Option<&str>, unique: bool) -> Self {
        self.indexes.push(Index {
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            condition: condition.map(str::to_owned),
            unique,
        });
        self
    }

    pub(crate) fn partitioned(mut self, partitioning: Partitioning) -> Self {
        self.partitioning = partitioning;
        self
    }

    /// The tenant is not looked up for each row: for rows that arrive by the hundred thousand,
    /// beside one row of another table that is checked in the same transaction.
    pub(crate) fn tenant_unchecked(mut self) -> Self {
        self.tenant_checked = false;
        self
    }

    /// The statements that make the table, its indexes and fixed partitions.
    pub(crate) fn create(&self, dialect: Dialect) -> Vec<String> {
        let mut statements = vec![self.create_table(dialect)];
        statements.extend(dialect.fixed_partitions(self.name, self.partitioning));
        statements.extend(self.create_indexes(dialect));
        if self.searched {
            statements.extend(dialect.create_search(self.name));
        }
        statements
    }

    pub(crate) fn drop(&self, dialect: Dialect) -> Vec<String> {
        let mut statements =
            if self.searched { dialect.drop_search(self.name) } else { Vec::new() };
        statements.push(format!("DROP TABLE {}", self.name));
        statements
    }

    /// A tenant's table that is there already, with columns to be added to it.
    pub(crate) fn existing(name: &'static str, soft_deleted: bool) -> Self {
        Self { soft_deleted, ..Self::owned(name, Kind::Id) }
    }

    /// The columns that follow the key.
    fn added_columns(&self) -> impl DoubleEndedIterator<Item = &Column> {
        self.columns.iter().filter(|column| !matches!(column.name.as_str(), "tenant_id" | "id"))
    }

    fn all_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().chain(&self.last_columns)
    }

    fn create_table(&self, dialect: Dialect) -> String {
        let numbered = self.searched && dialect.row_number_column().is_some();
        let mut lines = Vec::new();
        if let (true, Some(number)) = (numbered, dialect.row_number_column()) {
            lines.push(number.to_owned());
        }
        for column in self.all_columns() {
            lines.push(column.definition(dialect));
            lines.extend(column.twin().map(|twin| twin.definition(dialect)));
        }
        let key = if self.tenant_owned { "tenant_id, id" } else { "id" };
        let key_kind = dialect.primary_key(numbered);
        lines.push(format!("CONSTRAINT pk_{} {key_kind} ({key})", self.name));
        lines.extend(self.foreign_keys());
        lines.extend(self.check_lines(dialect));
        format!(
            "CREATE TABLE {} (\n    {}\n){}",
            self.name,
            lines.join(",\n    "),
            dialect.partition_clause(self.partitioning)
        )
    }

    fn foreign_keys(&self) -> Vec<String> {
        let name = self.name;
        let mut lines = Vec::new();
        if self.tenant_checked {
            lines.push(format!(
                "CONSTRAINT fk_{name}_tenant_id FOREIGN KEY (tenant_id) REFERENCES tenants (id)"
            ));
        }
        lines.extend(self.all_columns().filter_map(|column| {
            let (column, target) = (&column.name, column.references?);
            Some(format!(
                "CONSTRAINT fk_{name}_{column} FOREIGN KEY (tenant_id, {column}) \
                 REFERENCES {target} (tenant_id, id)"
            ))
        }));
        lines
    }

    fn check_lines(&self, dialect: Dialect) -> Vec<String> {
        let name = self.name;
        let by_column = self.all_columns().flat_map(|column| {
            let by_kind = dialect
                .type_check(&column.name, column.kind)
                .map(|check| format!("CONSTRAINT chk_{name}_{}_type CHECK ({check})", column.name));
            let by_rule = column
                .check
                .as_ref()
                .map(|check| format!("CONSTRAINT chk_{name}_{} CHECK ({check})", column.name));
            by_rule.into_iter().chain(by_kind)
        });
        let by_table = self
            .checks
            .iter()
            .map(|(rule, check)| format!("CONSTRAINT chk_{name}_{rule} CHECK ({check})"));
        by_column.chain(by_table).collect()
    }

    fn create_indexes(&self, dialect: Dialect) -> Vec<String> {
        let mut statements: Vec<String> =
            self.indexes.iter().map(|index| self.create_index(index)).collect();
        statements.extend(self.all_columns().filter(|column| column.indexed).map(|column| {
            let columns = vec![column.sort_name(), "id".to_owned()];
            self.create_index(&Index { columns, condition: None, unique: false })
        }));
        if self.soft_deleted {
            // The trash, latest first.
            statements.push(format!(
                "CREATE INDEX idx_{0}_deleted_at ON {0} (tenant_id, deleted_at, id) \
                 WHERE deleted_at IS NOT NULL",
                self.name
            ));
        }
        statements.extend(
            self.all_columns()
                .filter(|column| column.json_indexed)
                .filter_map(|column| dialect.json_index(self.name, &column.name)),
        );
        statements
    }

    fn index_name(&self, index: &Index) -> String {
        // The id that only makes an order total is not part of the name.
        let named = match index.columns.as_slice() {
            [first @ .., last] if last == "id" && !first.is_empty() => first,
            all => all,
        };
        let prefix = if index.unique { "uq" } else { "idx" };
        format!("{prefix}_{}_{}", self.name, named.join("_"))
    }

    fn create_index(&self, index: &Index) -> String {
        let table = self.name;
        let columns = index.columns.join(", ");
        let name = self.index_name(index);
        let kind = if index.unique { "UNIQUE INDEX" } else { "INDEX" };
        let tenant = if self.tenant_owned { "tenant_id, " } else { "" };
        let living = self.soft_deleted.then_some("deleted_at IS NULL");
        // Nulls are never equal: left out, the unique index cannot stand in for the sorted one.
        let valued = match (index.unique, index.columns.as_slice()) {
            (true, [only])
                if self.all_columns().any(|column| column.name == *only && !column.required) =>
            {
                Some(format!("{only} IS NOT NULL"))
            }
            _ => None,
        };
        let conditions: Vec<&str> =
            index.condition.as_deref().into_iter().chain(valued.as_deref()).chain(living).collect();
        let condition = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        format!("CREATE {kind} {name} ON {table} ({tenant}{columns}){condition}")
    }
}

/// The statements that add columns to a table that is there.
pub(crate) fn add_columns(dialect: Dialect, table: &Table) -> Vec<String> {
    let name = table.name;
    let mut statements = Vec::new();
    for column in table.added_columns() {
        let check = dialect.type_check(&column.name, column.kind);
        let check = check
            .map(|check| format!(" CONSTRAINT chk_{name}_{}_type CHECK ({check})", column.name));
        statements.push(format!(
            "ALTER TABLE {name} ADD COLUMN {}{}",
            column.definition(dialect),
            check.unwrap_or_default()
        ));
        if let Some(target) = column.references {
            statements.push(dialect.add_foreign_key(name, &column.name, target));
        }
        if column.indexed {
            let columns = vec![column.sort_name(), "id".to_owned()];
            statements.push(table.create_index(&Index { columns, condition: None, unique: false }));
        }
    }
    statements
}

/// The statements that take added columns away, last first.
pub(crate) fn drop_columns(dialect: Dialect, table: &Table) -> Vec<String> {
    let name = table.name;
    let mut statements = Vec::new();
    for column in table.added_columns().rev() {
        if column.indexed {
            statements.push(format!("DROP INDEX idx_{name}_{}", column.sort_name()));
        }
        if let Some(target) = column.references {
            statements.push(dialect.drop_foreign_key(name, &column.name, target));
        }
        statements.push(format!("ALTER TABLE {name} DROP COLUMN {}", column.name));
    }
    statements
}

/// The statements that make the indexes of a table that is there.
pub(crate) fn add_indexes(dialect: Dialect, table: &Table) -> Vec<String> {
    table.create_indexes(dialect)
}

/// The statements that take these indexes away.
pub(crate) fn drop_indexes(table: &Table) -> Vec<String> {
    table.indexes.iter().map(|index| format!("DROP INDEX {}", table.index_name(index))).collect()
}

/// The statements that make tables, parents first.
pub(crate) fn create_all(dialect: Dialect, tables: &[Table]) -> Vec<String> {
    tables.iter().flat_map(|table| table.create(dialect)).collect()
}

/// The statements that drop tables, children first.
pub(crate) fn drop_all(dialect: Dialect, tables: &[Table]) -> Vec<String> {
    tables.iter().rev().flat_map(|table| table.drop(dialect)).collect()
}
