//! Every difference by database that the tables have. The rest of the crate speaks of kinds of
//! columns, keys and indexes, and asks here how they are written.

use sea_orm_migration::DbErr;
use sea_orm_migration::sea_orm::DbBackend;

use crate::table::{Kind, Partitioning};

/// Which database SQL is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

/// What an operator reads when PostgreSQL does not let us have trigrams.
pub const EXTENSION_REFUSED: &str = "the PostgreSQL extension pg_trgm is needed and could not be \
     created: install it (Debian: postgresql-contrib) or let a database owner run \
     CREATE EXTENSION pg_trgm";

const CREATE_EXTENSION: &str = "CREATE EXTENSION IF NOT EXISTS pg_trgm";

impl Dialect {
    pub fn of(backend: DbBackend) -> Result<Self, DbErr> {
        if backend == DbBackend::Postgres {
            Ok(Self::Postgres)
        } else if backend == DbBackend::Sqlite {
            Ok(Self::Sqlite)
        } else {
            Err(DbErr::Migration(format!("{backend:?} is not a database of ours")))
        }
    }

    /// Statements before the first table.
    pub(crate) fn prepare(self) -> Vec<String> {
        match self {
            Self::Postgres => vec![CREATE_EXTENSION.to_owned()],
            Self::Sqlite => Vec::new(),
        }
    }

    /// Turns the one failure that an operator can mend into one clear line.
    pub(crate) fn explain(self, statement: &str, error: DbErr) -> DbErr {
        if statement == CREATE_EXTENSION {
            DbErr::Migration(EXTENSION_REFUSED.to_owned())
        } else {
            error
        }
    }

    /// The type of a column. Text is ordered by its bytes on both databases, so that pages, keys
    /// and comparisons agree; ids are 16 bytes on both, instants sort as text in UTC on SQLite.
    pub(crate) fn column_type(self, kind: Kind) -> String {
        match self {
            Self::Postgres => match kind {
                Kind::Id => "uuid".to_owned(),
                Kind::Text(limit) => format!("varchar({limit}) COLLATE \"C\""),
                Kind::LongText => "text COLLATE \"C\"".to_owned(),
                Kind::Int => "integer".to_owned(),
                Kind::BigInt => "bigint".to_owned(),
                Kind::Bool => "boolean".to_owned(),
                Kind::Instant => "timestamptz".to_owned(),
                Kind::Date => "date".to_owned(),
                Kind::Json => "jsonb".to_owned(),
            },
            Self::Sqlite => match kind {
                Kind::Id => "blob".to_owned(),
                Kind::Text(limit) => format!("varchar({limit})"),
                Kind::LongText | Kind::Instant | Kind::Date | Kind::Json => "text".to_owned(),
                Kind::Int | Kind::BigInt => "integer".to_owned(),
                Kind::Bool => "boolean".to_owned(),
            },
        }
    }

    /// The check that a column's type does not already make.
    pub(crate) fn type_check(self, column: &str, kind: Kind) -> Option<String> {
        match (self, kind) {
            (Self::Sqlite, Kind::Json) => Some(format!("json_valid({column})")),
            (Self::Sqlite | Self::Postgres, _) => None,
        }
    }

    /// The first column of a table whose full-text index speaks of rows by number: without a name
    /// of its own, SQLite's row number may change.
    pub(crate) fn row_number_column(self) -> Option<&'static str> {
        match self {
            Self::Postgres => None,
            Self::Sqlite => Some("seq INTEGER PRIMARY KEY"),
        }
    }

    /// The primary key. Where the row number already is one, the key is unique and not null.
    pub(crate) fn primary_key(self, numbered: bool) -> &'static str {
        match self {
            Self::Sqlite if numbered => "UNIQUE",
            Self::Sqlite | Self::Postgres => "PRIMARY KEY",
        }
    }

    /// What follows the columns of a partitioned table.
    pub(crate) fn partition_clause(self, partitioning: Partitioning) -> &'static str {
        match (self, partitioning) {
            (Self::Postgres, Partitioning::ByMonth) => " PARTITION BY RANGE (id)",
            (Self::Postgres, Partitioning::ByHash(_)) => " PARTITION BY HASH (tenant_id, id)",
            (Self::Postgres, Partitioning::None) | (Self::Sqlite, _) => "",
        }
    }

    /// The partitions that are made with the table; months are made ahead by the server.
    pub(crate) fn fixed_partitions(self, table: &str, partitioning: Partitioning) -> Vec<String> {
        match (self, partitioning) {
            (Self::Postgres, Partitioning::ByHash(count)) => (0..count)
                .map(|remainder| {
                    format!(
                        "CREATE TABLE {table}_{remainder} PARTITION OF {table} \
                         FOR VALUES WITH (MODULUS {count}, REMAINDER {remainder})"
                    )
                })
                .collect(),
            (Self::Postgres, Partitioning::ByMonth | Partitioning::None) | (Self::Sqlite, _) => {
                Vec::new()
            }
        }
    }

    /// Makes a column of a table that is there refer to rows of the same tenant. SQLite adds no
    /// constraint to a table; its documentation gives this way of writing one into the schema (ALTER
    /// TABLE, "Making Other Kinds Of Table Schema Changes"), which touches no row.
    pub(crate) fn add_foreign_key(self, table: &str, column: &str, target: &str) -> String {
        let constraint = foreign_key(table, column, target);
        match self {
            Self::Postgres => format!("ALTER TABLE {table} ADD {constraint}"),
            Self::Sqlite => sqlite_schema_change(
                table,
                &format!("substr(sql, 1, length(sql) - 1) || ', {constraint})'"),
            ),
        }
    }

    /// Undoes [`Dialect::add_foreign_key`].
    pub(crate) fn drop_foreign_key(self, table: &str, column: &str, target: &str) -> String {
        match self {
            Self::Postgres => format!("ALTER TABLE {table} DROP CONSTRAINT fk_{table}_{column}"),
            Self::Sqlite => {
                let constraint = foreign_key(table, column, target);
                sqlite_schema_change(table, &format!("replace(sql, ', {constraint}', '')"))
            }
        }
    }

    /// An index for "has this key", where the database has one for JSON.
    pub(crate) fn json_index(self, table: &str, column: &str) -> Option<String> {
        match self {
            Self::Postgres => {
                Some(format!("CREATE INDEX idx_{table}_{column} ON {table} USING gin ({column})"))
            }
            Self::Sqlite => None,
        }
    }

    /// A trigram index over `search_text`. SQLite's lives in a table of its own that triggers keep
    /// in step: they are part of an index, not rules, and the only triggers we have.
    pub(crate) fn create_search(self, table: &str) -> Vec<String> {
        match self {
            Self::Postgres => vec![format!(
                "CREATE INDEX idx_{table}_search_text ON {table} \
                 USING gin (search_text gin_trgm_ops)"
            )],
            Self::Sqlite => sqlite_search(table),
        }
    }

    /// Undoes what [`Dialect::create_search`] leaves beside the table itself.
    pub(crate) fn drop_search(self, table: &str) -> Vec<String> {
        match self {
            Self::Postgres => Vec::new(),
            Self::Sqlite => vec![format!("DROP TABLE {table}_search")],
        }
    }
}

fn foreign_key(table: &str, column: &str, target: &str) -> String {
    format!(
        "CONSTRAINT fk_{table}_{column} FOREIGN KEY (tenant_id, {column}) \
         REFERENCES {target} (tenant_id, id)"
    )
}

/// One text, because its parts hold on one connection only.
fn sqlite_schema_change(table: &str, sql: &str) -> String {
    format!(
        "PRAGMA writable_schema = ON; \
         UPDATE sqlite_schema SET sql = {sql} WHERE type = 'table' AND name = '{table}'; \
         PRAGMA writable_schema = RESET"
    )
}

fn sqlite_search(table: &str) -> Vec<String> {
    let search = format!("{table}_search");
    let remove = format!(
        "INSERT INTO {search} ({search}, rowid, search_text) \
         VALUES ('delete', old.seq, old.search_text);"
    );
    let add =
        format!("INSERT INTO {search} (rowid, search_text) VALUES (new.seq, new.search_text);");
    vec![
        format!(
            "CREATE VIRTUAL TABLE {search} USING fts5(\
             search_text, content='{table}', content_rowid='seq', tokenize='trigram')"
        ),
        format!("CREATE TRIGGER {search}_insert AFTER INSERT ON {table} BEGIN {add} END"),
        format!(
            "CREATE TRIGGER {search}_update AFTER UPDATE OF search_text ON {table} \
             WHEN old.search_text IS NOT new.search_text BEGIN {remove} {add} END"
        ),
        format!("CREATE TRIGGER {search}_delete AFTER DELETE ON {table} BEGIN {remove} END"),
    ]
}
