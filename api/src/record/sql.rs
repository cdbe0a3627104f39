//! Text of a statement and its bind values, growing together. Every value is bound; only names from
//! declarations and literal numbers become text.

use uuid::Uuid;

use crate::access::RowRule;
use crate::db::{Dialect, Statement, Value};

use super::declare::{OwnerPath, Record, RelationKind, Way};

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

    /// How many values are bound so far.
    pub fn bound(&self) -> usize {
        self.values.len()
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
        [alias, ".tenant_id = ", &self.dialect.placeholder(1)].concat()
    }
}

/// A statement that begins with the tenant as its first bind value.
pub fn for_tenant(dialect: Dialect, tenant_id: Uuid) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.bind(Value::Id(tenant_id));
    sql
}

/// The condition that keeps a caller to its rows, or `None` when it may see all.
pub fn row_rule(sql: &mut Sql, record: &Record, alias: &str, rule: &RowRule) -> Option<String> {
    match rule {
        RowRule::All => None,
        RowRule::Owners(owners) => owner_rule(sql, record, alias, owners),
        RowRule::Company(company) => Some(company_rule(sql, record, alias, *company)),
        RowRule::Either(owners, company) => {
            let owned = owner_rule(sql, record, alias, owners)?;
            let of_company = company_rule(sql, record, alias, *company);
            Some(format!("({owned} OR {of_company})"))
        }
    }
}

/// `None` where rows are everybody's.
fn owner_rule(sql: &mut Sql, record: &Record, alias: &str, owners: &[Uuid]) -> Option<String> {
    if matches!(record.owner, OwnerPath::Nobody) {
        return Some("FALSE".to_owned());
    }
    match record.owner.way()? {
        Way::Column(column) => {
            let placeholder = sql.bind(Value::Ids(owners.to_vec()));
            Some(sql.dialect.in_ids(&format!("{alias}.{column}"), &placeholder))
        }
        Way::Through(relation) => through(sql, record, alias, relation, |sql, target, inner| {
            owner_rule(sql, target, inner, owners)
        }),
    }
}

/// No row where there is no company, or no path to one.
fn company_rule(sql: &mut Sql, record: &Record, alias: &str, company: Option<Uuid>) -> String {
    let found = match (company, record.company.way()) {
        (Some(id), Some(Way::Column(column))) => {
            Some(format!("{alias}.{column} = {}", sql.bind(Value::Id(id))))
        }
        (Some(id), Some(Way::Through(relation))) => {
            through(sql, record, alias, relation, |sql, target, inner| {
                Some(company_rule(sql, target, inner, Some(id)))
            })
        }
        (None, _) | (_, None) => None,
    };
    found.unwrap_or_else(|| "FALSE".to_owned())
}

/// The living row that a to-one relation leads to meets a rule.
fn through(
    sql: &mut Sql,
    record: &Record,
    alias: &str,
    relation: &str,
    rule: impl FnOnce(&mut Sql, &Record, &str) -> Option<String>,
) -> Option<String> {
    let relation = record.find_relation(relation)?;
    let RelationKind::One { column, .. } = relation.kind else { return None };
    let target = (relation.target)();
    let inner = sql.alias();
    let inner_rule = rule(sql, target, &inner)?;
    let living =
        if target.soft_delete { format!(" AND {inner}.deleted_at IS NULL") } else { String::new() };
    Some(format!(
        "EXISTS (SELECT 1 FROM {} {inner} WHERE {inner}.tenant_id = {alias}.tenant_id \
         AND {inner}.id = {alias}.{column}{living} AND {inner_rule})",
        target.table
    ))
}

/// Joins conditions with AND; nothing is TRUE.
pub fn all_of(conditions: &[String]) -> String {
    if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") }
}
