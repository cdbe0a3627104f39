//! Text of a statement and its bind values, growing together. Every value is bound; only names from
//! declarations and literal numbers become text.

use crate::access::RowRule;
use crate::db::{Dialect, Statement, Value};

use super::declare::{OwnerPath, Record, RelationKind};

/// A statement being written.
pub struct Sql {
    pub dialect: Dialect,
    text: String,
    values: Vec<Value>,
    aliases: usize,
}

impl Sql {
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::with_capacity(512), values: Vec::new(), aliases: 0 }
    }

    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Binds a value and returns its placeholder.
    pub fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        self.dialect.placeholder(self.values.len())
    }

    /// A fresh alias for a sub-query.
    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("x{}", self.aliases)
    }

    pub fn finish(self) -> Statement {
        Statement::new(self.text, self.values)
    }

    /// `alias.tenant_id = $1`: the tenant is the first bind of every statement.
    pub fn tenant_is(&mut self, alias: &str) -> String {
        format!("{alias}.tenant_id = {}", self.dialect.placeholder(1))
    }
}

/// A statement that begins with the tenant as its first bind value.
pub fn for_tenant(dialect: Dialect, tenant_id: uuid::Uuid) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.bind(Value::Id(tenant_id));
    sql
}

/// The condition that keeps a caller to its rows, or `None` when it may see all.
pub fn row_rule(sql: &mut Sql, record: &Record, alias: &str, rule: &RowRule) -> Option<String> {
    let RowRule::Owners(owners) = rule else { return None };
    match record.owner {
        OwnerPath::Everybody => None,
        OwnerPath::Column(column) => {
            let placeholder = sql.bind(Value::Ids(owners.to_vec()));
            Some(sql.dialect.in_ids(&format!("{alias}.{column}"), &placeholder))
        }
        OwnerPath::Through(relation) => {
            let through = record.find_relation(relation)?;
            let RelationKind::One { column, .. } = through.kind else { return None };
            let target = (through.target)();
            let inner = sql.alias();
            let inner_rule = row_rule(sql, target, &inner, rule)?;
            Some(format!(
                "EXISTS (SELECT 1 FROM {} {inner} WHERE {inner}.tenant_id = {alias}.tenant_id \
                 AND {inner}.id = {alias}.{column} AND {inner_rule})",
                target.table
            ))
        }
    }
}

/// Joins conditions with AND; nothing is TRUE.
pub fn all_of(conditions: &[String]) -> String {
    if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") }
}
