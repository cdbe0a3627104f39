//! The SQL of a level. LIMIT stands in the text: PostgreSQL plans a parameterised LIMIT anew every
//! time, a literal one lets the statement turn generic.

use uuid::Uuid;

use super::tenant_of;
use crate::db::{Dialect, Statement, Value};
use crate::error::{Error, Result};
use crate::record::filter;
use crate::record::order::OrderKey;
use crate::record::page::{self, Range};
use crate::record::plan::{Child, Deleted, Level, List, One, PerParent};
use crate::record::search::{SearchPlan, Tier};
use crate::record::sql::{Sql, all_of, for_tenant, row_rule};

/// One record by its id.
pub(super) fn one(dialect: Dialect, plan: &One) -> Result<Statement> {
    let mut sql = for_tenant(dialect, tenant_of(&plan.level)?);
    let mut conditions = base_conditions(&mut sql, &plan.level, plan.deleted)?;
    let id = sql.bind(Value::Id(plan.id));
    conditions.push(format!("t0.id = {id}"));
    let columns = select_list(&plan.level, None);
    let joins = joins(&mut sql, &plan.level)?;
    sql.push(&format!(
        "SELECT {columns} FROM {} t0{joins} WHERE {}",
        plan.level.record.table,
        all_of(&conditions)
    ));
    Ok(sql.finish())
}

/// Records by a list of ids.
pub(super) fn by_ids(
    dialect: Dialect,
    level: &Level,
    ids: Vec<Uuid>,
    deleted: Deleted,
) -> Result<Statement> {
    let mut sql = for_tenant(dialect, tenant_of(level)?);
    let mut conditions = base_conditions(&mut sql, level, deleted)?;
    let list = sql.bind(Value::Ids(ids));
    conditions.push(sql.dialect.in_ids("t0.id", &list));
    let columns = select_list(level, None);
    let joins = joins(&mut sql, level)?;
    sql.push(&format!(
        "SELECT {columns} FROM {} t0{joins} WHERE {}",
        level.record.table,
        all_of(&conditions)
    ));
    Ok(sql.finish())
}

/// A page of a list, one row more than asked: it says whether there are more.
pub(super) fn page(dialect: Dialect, plan: &List, tier: Tier) -> Result<Statement> {
    let mut sql = for_tenant(dialect, tenant_of(&plan.level)?);
    let keys = directed(plan);
    let cursor = plan.cursor.as_deref();
    let ranges = page::ranges(&keys, cursor);
    let limit = plan.page.rows + 1;
    if let [range] = ranges.as_slice() {
        let (from, conditions) = list_rows(&mut sql, plan, tier)?;
        let branch = Branch { plan, keys: &keys, cursor, range, conditions };
        let (conditions, order) = branch.write(&mut sql)?;
        let sort_values = own_sort_values(&mut sql, plan, &keys);
        let columns = select_list(&plan.level, Some(&sort_values));
        let joins = joins(&mut sql, &plan.level)?;
        sql.push(&format!(
            "SELECT {columns} FROM {from}{joins} WHERE {} ORDER BY {order} LIMIT {limit}",
            all_of(&conditions)
        ));
        return Ok(sql.finish());
    }
    let mut branches = Vec::with_capacity(ranges.len());
    let own = own_columns(&plan.level);
    for range in &ranges {
        let (from, conditions) = list_rows(&mut sql, plan, tier)?;
        let branch = Branch { plan, keys: &keys, cursor, range, conditions };
        let (conditions, order) = branch.write(&mut sql)?;
        let sorts = numbered(&expressions(&mut sql, &keys));
        let joins = order_joins(&mut sql, plan, &keys)?;
        branches.push(format!(
            "SELECT * FROM (SELECT {own}, {sorts} FROM {from}{joins} WHERE {} ORDER BY {order} \
             LIMIT {limit}) x",
            all_of(&conditions)
        ));
    }
    let columns = select_list(&plan.level, None);
    let joins = joins(&mut sql, &plan.level)?;
    let order = page::order_terms(&keys, &sort_names(&keys), &Vec::new());
    sql.push(&format!(
        "SELECT {columns} FROM ({}) t0{joins} ORDER BY {order} LIMIT {limit}",
        branches.join(" UNION ALL ")
    ));
    Ok(sql.finish())
}

/// One range of a page, being written.
struct Branch<'a> {
    plan: &'a List,
    keys: &'a [OrderKey],
    cursor: Option<&'a [Value]>,
    range: &'a Range,
    conditions: Vec<String>,
}

impl Branch<'_> {
    /// The conditions with the seek, and the order within the range.
    fn write(self, sql: &mut Sql) -> Result<(Vec<String>, String)> {
        let Self { plan, keys, cursor, range, mut conditions } = self;
        if let Some((column, id)) = plan.parent {
            let id = sql.bind(Value::Id(id));
            conditions.push(format!("t0.{column} = {id}"));
        }
        let written = expressions(sql, keys);
        conditions.extend(page::write_range(sql, range, keys, &written, cursor)?);
        Ok((conditions, page::order_terms(keys, &written, range)))
    }
}

/// The first rows of each parent, one more than asked, by a window over the parent's id.
pub(super) fn top_per_parent(dialect: Dialect, child: &Child, tier: Tier) -> Result<PerParent> {
    let plan = &child.list;
    let mut sql = for_tenant(dialect, tenant_of(&plan.level)?);
    let keys = directed(plan);
    let mut conditions = child_conditions(&mut sql, plan, tier)?;
    let key = format!("t0.{}", child.key_column);
    let parents = sql.bound();
    let list = sql.bind(Value::Ids(Vec::new()));
    conditions.push(sql.dialect.in_ids(&key, &list));
    let written = expressions(&mut sql, &keys);
    let order = page::order_terms(&keys, &written, &Vec::new());
    let own = own_columns(&plan.level);
    let inner_joins = order_joins(&mut sql, plan, &keys)?;
    let inner = format!(
        "SELECT {own}, {}, row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS place \
         FROM {} t0{inner_joins} WHERE {}",
        numbered(&written),
        plan.level.record.table,
        all_of(&conditions)
    );
    let columns = select_list(&plan.level, None);
    let joins = joins(&mut sql, &plan.level)?;
    // By the keys and not by the place: the window has sorted by them, so nothing is sorted again.
    let order = page::order_terms(&keys, &sort_names(&keys), &Vec::new());
    sql.push(&format!(
        "SELECT {columns} FROM ({inner}) t0{joins} WHERE t0.place <= {} ORDER BY {key}, {order}",
        plan.page.rows + 1
    ));
    Ok(PerParent { statement: sql.finish(), parents })
}

/// How many rows the list has; at most `limit` are looked at.
pub(super) fn count(
    dialect: Dialect,
    plan: &List,
    tier: Tier,
    limit: Option<u64>,
) -> Result<Statement> {
    let mut sql = for_tenant(dialect, tenant_of(&plan.level)?);
    let (from, mut conditions) = list_rows(&mut sql, plan, tier)?;
    if let Some((column, id)) = plan.parent {
        let id = sql.bind(Value::Id(id));
        conditions.push(format!("t0.{column} = {id}"));
    }
    let conditions = all_of(&conditions);
    sql.push(&match limit {
        None => format!("SELECT count(*) FROM {from} WHERE {conditions}"),
        Some(limit) => format!(
            "SELECT count(*) FROM (SELECT 1 FROM {from} WHERE {conditions} LIMIT {limit}) x"
        ),
    });
    Ok(sql.finish())
}

/// How many rows each parent has; at most `limit` of each are counted.
pub(super) fn count_per_parent(
    dialect: Dialect,
    child: &Child,
    parents: Vec<Uuid>,
    tier: Tier,
    limit: Option<u64>,
) -> Result<Statement> {
    let plan = &child.list;
    let mut sql = for_tenant(dialect, tenant_of(&plan.level)?);
    let mut conditions = child_conditions(&mut sql, plan, tier)?;
    let key = format!("t0.{}", child.key_column);
    let list = sql.bind(Value::Ids(parents));
    conditions.push(sql.dialect.in_ids(&key, &list));
    let (table, conditions) = (plan.level.record.table, all_of(&conditions));
    sql.push(&match limit {
        None => format!("SELECT {key}, count(*) FROM {table} t0 WHERE {conditions} GROUP BY {key}"),
        Some(limit) => format!(
            "SELECT parent, count(*) FROM (SELECT {key} AS parent, row_number() OVER (PARTITION BY \
             {key}) AS place FROM {table} t0 WHERE {conditions}) x WHERE place <= {limit} \
             GROUP BY parent"
        ),
    });
    Ok(sql.finish())
}

/// Is there any row that contains what is sought?
pub(super) fn search_probe(
    dialect: Dialect,
    (level, deleted): (&Level, Deleted),
    search: &SearchPlan,
) -> Result<Statement> {
    let mut sql = for_tenant(dialect, tenant_of(level)?);
    let mut conditions = base_conditions(&mut sql, level, deleted)?;
    let (from, condition) = search.write_from(&mut sql, level.record, "t0", Tier::Exact);
    conditions.push(condition);
    sql.push(&format!("SELECT 1 FROM {from} WHERE {} LIMIT 1", all_of(&conditions)));
    Ok(sql.finish())
}

/// Tenant, deletion and row rule of a level's own table: what every statement begins with.
pub fn base_conditions(sql: &mut Sql, level: &Level, deleted: Deleted) -> Result<Vec<String>> {
    let table = level.tables.first().ok_or_else(|| Error::internal("a level without its table"))?;
    let mut conditions = vec![sql.tenant_is("t0")];
    if table.record.soft_delete {
        match deleted {
            Deleted::Exclude => conditions.push("t0.deleted_at IS NULL".to_owned()),
            Deleted::Only => conditions.push("t0.deleted_at IS NOT NULL".to_owned()),
            Deleted::Include => {}
        }
    }
    conditions.extend(row_rule(sql, table.record, "t0", table.reader.rows()));
    Ok(conditions)
}

/// What stands behind FROM, and the conditions of a list by itself.
fn list_rows(sql: &mut Sql, plan: &List, tier: Tier) -> Result<(String, Vec<String>)> {
    let mut conditions = unsearched(sql, plan)?;
    let record = plan.level.record;
    let Some(search) = &plan.search else {
        return Ok(([record.table, " t0"].concat(), conditions));
    };
    let (from, condition) = search.write_from(sql, record, "t0", tier);
    conditions.push(condition);
    Ok((from, conditions))
}

/// The conditions of a list below parents, who lead to its rows.
fn child_conditions(sql: &mut Sql, plan: &List, tier: Tier) -> Result<Vec<String>> {
    let mut conditions = unsearched(sql, plan)?;
    if let Some(search) = &plan.search {
        conditions.push(search.write(sql, plan.level.record, "t0", tier));
    }
    Ok(conditions)
}

fn unsearched(sql: &mut Sql, plan: &List) -> Result<Vec<String>> {
    let mut conditions = base_conditions(sql, &plan.level, plan.deleted)?;
    if let Some(condition) = &plan.condition {
        let written = filter::write(sql, plan.level.record, "t0", condition)?;
        if written != "TRUE" {
            conditions.push(written);
        }
    }
    Ok(conditions)
}

/// The keys in the direction of paging: `last`/`before` reads the list from its end.
fn directed(plan: &List) -> Vec<OrderKey> {
    if plan.page.backward {
        plan.order.iter().map(OrderKey::reversed).collect()
    } else {
        plan.order.clone()
    }
}

fn expressions(sql: &mut Sql, keys: &[OrderKey]) -> Vec<String> {
    keys.iter().map(|key| key.expression.write(sql)).collect()
}

/// What [`numbered`] calls the keys, seen from outside the sub-query.
fn sort_names(keys: &[OrderKey]) -> Vec<String> {
    (0..keys.len()).map(|number| format!("t0.o{number}")).collect()
}

/// `a AS o0, b AS o1`
fn numbered(expressions: &[String]) -> String {
    expressions
        .iter()
        .enumerate()
        .map(|(number, expression)| format!("{expression} AS o{number}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Sort values that no column holds, for the simple form of a page.
fn own_sort_values(sql: &mut Sql, plan: &List, keys: &[OrderKey]) -> Vec<String> {
    let computed = plan.level.columns.iter().any(|column| column.table == usize::MAX);
    if computed { expressions(sql, keys) } else { Vec::new() }
}

/// The select list. `sort_values` replace the numbered sort columns where they are not named.
fn select_list(level: &Level, sort_values: Option<&[String]>) -> String {
    let mut list = String::with_capacity(level.columns.len() * 16);
    for (index, column) in level.columns.iter().enumerate() {
        if index > 0 {
            list.push_str(", ");
        }
        if column.table == usize::MAX {
            let number = column.name.trim_start_matches('o').parse::<usize>().unwrap_or_default();
            match sort_values.and_then(|values| values.get(number)) {
                Some(expression) => list.push_str(expression),
                None => push_column(&mut list, 0, &column.name),
            }
        } else {
            push_column(&mut list, column.table, &column.name);
        }
    }
    list
}

/// `t2.name`
fn push_column(list: &mut String, table: usize, name: &str) {
    list.push('t');
    list.push_str(itoa::Buffer::new().format(table));
    list.push('.');
    list.push_str(name);
}

/// The columns of the level's own table that anything outside a sub-query needs.
fn own_columns(level: &Level) -> String {
    let mut names = vec!["tenant_id", "id"];
    let own = level.columns.iter().filter(|column| column.table == 0);
    let joining = level.tables.iter().filter_map(|table| {
        table.joined.as_ref().filter(|join| join.from == 0).map(|join| join.column)
    });
    for name in own.map(|column| column.name.as_str()).chain(joining) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut list = String::with_capacity(names.len() * 16);
    for (number, name) in names.into_iter().enumerate() {
        if number > 0 {
            list.push_str(", ");
        }
        push_column(&mut list, 0, name);
    }
    list
}

/// `LEFT JOIN`s of every to-one relation, with tenant, deletion and row rule in each ON.
fn joins(sql: &mut Sql, level: &Level) -> Result<String> {
    let mut text = String::new();
    for number in 1..level.tables.len() {
        text.push_str(&join(sql, level, number)?);
    }
    Ok(text)
}

/// Only the joins that the order needs, inside a sub-query.
fn order_joins(sql: &mut Sql, plan: &List, keys: &[OrderKey]) -> Result<String> {
    let mut needed = std::collections::BTreeSet::new();
    for key in keys {
        if let crate::record::order::Expression::Column { table, .. } = key.expression {
            let mut table = table;
            while let Some(joined) =
                plan.level.tables.get(table).and_then(|table| table.joined.as_ref())
            {
                needed.insert(table);
                table = joined.from;
            }
        }
    }
    let mut text = String::new();
    for number in needed {
        text.push_str(&join(sql, &plan.level, number)?);
    }
    Ok(text)
}

fn join(sql: &mut Sql, level: &Level, number: usize) -> Result<String> {
    let missing = || Error::internal("a join without its table");
    let table = level.tables.get(number).ok_or_else(missing)?;
    let joined = table.joined.as_ref().ok_or_else(missing)?;
    let alias = format!("t{number}");
    let mut conditions =
        vec![sql.tenant_is(&alias), format!("{alias}.id = t{}.{}", joined.from, joined.column)];
    if table.record.soft_delete {
        conditions.push(format!("{alias}.deleted_at IS NULL"));
    }
    conditions.extend(row_rule(sql, table.record, &alias, table.reader.rows()));
    Ok(format!(" LEFT JOIN {} {alias} ON {}", table.record.table, conditions.join(" AND ")))
}
