//! `leadGroups(by: [{ field: SOURCE }, { field: CREATED_AT, bucket: MONTH }])`: groups with their
//! measures, filtered by `having`, ordered and paged like any list.

use async_graphql::Value as Input;
use chrono::{NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::plan::{Measure, Measures, Reference};
use super::write::{AggregateShape, select_measures, write_items};
use super::Base;
use crate::db::dialect::Bucket;
use crate::db::{Conn, NullOf, Row, Value};
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::cursor::{self, Fingerprint};
use crate::record::declare::{Field, Record};
use crate::record::filter;
use crate::record::input;
use crate::record::json::{push_bool, push_date, push_instant, push_int, push_text, write_value};
use crate::record::kind::Kind;
use crate::record::order::{Expression, OrderKey};
use crate::record::page::{self, PageRequest};
use crate::record::plan::{PageInfoField, Planner, json_key, json_text, unknown_selection};
use crate::record::selection::Selected;
use crate::record::sql::Sql;

/// `leadGroups`.
pub struct Groups {
    pub base: Base,
    pub keys: Vec<GroupKey>,
    pub measures: Measures,
    having: Vec<Having>,
    order: Vec<OrderKey>,
    page: PageRequest,
    cursor: Option<Vec<Value>>,
    fingerprint: Fingerprint,
    items: Vec<(Box<str>, ConnectionItem)>,
    wants_total: bool,
}

pub struct GroupKey {
    pub field: &'static Field,
    /// Periods of a date or an instant; instants in a zone.
    pub bucket: Option<(Bucket, Tz)>,
}

enum ConnectionItem {
    Nodes(Vec<(Box<str>, NodeItem)>),
    PageInfo(Vec<(Box<str>, PageInfoField)>),
    TotalCount,
    Literal(Box<str>),
}

enum NodeItem {
    Key(Vec<(Box<str>, KeyItem)>),
    Measures(AggregateShape),
    Literal(Box<str>),
}

enum KeyItem {
    Key(usize),
    Literal(Box<str>),
}

/// A comparison with a measure.
struct Having {
    reference: Reference,
    symbol: &'static str,
    value: Value,
}

impl GroupKey {
    fn bind(&self) -> NullOf {
        if self.bucket.is_some() { NullOf::Text } else { self.field.kind.bind() }
    }

    fn sql(&self, sql: &Sql) -> String {
        let column = format!("t0.{}", self.field.column);
        match (&self.bucket, self.field.kind) {
            (Some((bucket, _)), Kind::Date) => sql.dialect.date_bucket(&column, *bucket),
            (Some((bucket, zone)), _) => sql.dialect.instant_bucket(&column, *bucket, *zone),
            (None, _) => column,
        }
    }
}

impl Planner<'_> {
    /// Plans `leadGroups`.
    pub fn groups(&mut self, record: &'static Record, selected: &Selected) -> Result<Groups> {
        let base = self.aggregate_base(record, selected)?;
        let keys = self.group_keys(record, selected)?;
        let mut measures = Measures::default();
        let having = match selected.argument("having") {
            Some(having) => self.having(record, &mut measures, having)?,
            None => Vec::new(),
        };
        let order = self.group_order(record, &keys, &mut measures, selected)?;
        let page = PageRequest::read(|name| selected.argument(name).cloned())?;
        if page.backward {
            return Err(Error::invalid_field(
                "last",
                say("groups are paged forward only", "grupos só são paginados para a frente"),
            ));
        }
        let text =
            |name: &str| selected.argument(name).map(ToString::to_string).unwrap_or_default();
        let fingerprint = Fingerprint::of(&[
            &self.ctx().tenant_id().to_string(),
            record.name,
            "groups",
            &text("by"),
            &text("filter"),
            &text("search"),
            &text("deleted"),
            &text("having"),
            &text("orderBy"),
        ]);
        let cursor = page
            .cursor
            .as_deref()
            .map(|text| cursor::decode(fingerprint, &order, text))
            .transpose()
            .map_err(|error| error.at("after"))?;
        self.spend_rows(1, page.rows)?;
        let mut groups = Groups {
            base,
            keys,
            measures,
            having,
            order,
            page,
            cursor,
            fingerprint,
            items: Vec::new(),
            wants_total: false,
        };
        self.group_connection(record, &mut groups, &selected.children)?;
        Ok(groups)
    }

    fn group_keys(
        &mut self,
        record: &'static Record,
        selected: &Selected,
    ) -> Result<Vec<GroupKey>> {
        let reader = self.reader(record)?;
        let items = selected.argument("by").map(input::read_list).unwrap_or_default();
        if items.is_empty() || items.len() > limits::GROUP_KEYS_MAX {
            let max = limits::GROUP_KEYS_MAX;
            return Err(Error::invalid_field(
                "by",
                say(format!("by takes 1 to {max} fields"), format!("by aceita 1 a {max} campos")),
            ));
        }
        let mut keys: Vec<GroupKey> = Vec::with_capacity(items.len());
        for item in items {
            let key = group_key(record, item, self.ctx().actor.tenant.time_zone)
                .map_err(|error| error.at("by"))?;
            filter::allow_field(&reader, key.field)?;
            if keys.iter().any(|known| known.field.name == key.field.name) {
                return Err(Error::invalid_field(
                    "by",
                    say("a field is grouped by once", "um campo só agrupa uma vez"),
                ));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    fn having(
        &mut self,
        record: &'static Record,
        measures: &mut Measures,
        input: &Input,
    ) -> Result<Vec<Having>> {
        let reader = self.reader(record)?;
        let Input::Object(entries) = input else {
            return Err(Error::invalid_field("having", say("an object", "um objeto")));
        };
        let mut terms = Vec::new();
        for (function, value) in entries {
            if matches!(value, Input::Null) {
                continue;
            }
            if function == "count" {
                let reference = Reference::Extreme(measures.number(Measure::Count));
                compare(&mut terms, reference, Kind::Int, false, value)?;
                continue;
            }
            let Input::Object(fields) = value else { continue };
            for (name, comparison) in fields {
                let field = record
                    .fields
                    .iter()
                    .find(|field| field.name == name.as_str())
                    .ok_or_else(|| unknown_selection(record, name))?;
                filter::allow_field(&reader, field)?;
                let reference = measures
                    .reference(function, field)
                    .ok_or_else(|| unknown_selection(record, name))?;
                compare(&mut terms, reference, field.kind, function == "avg", comparison)?;
            }
        }
        Ok(terms)
    }

    fn group_order(
        &mut self,
        record: &'static Record,
        keys: &[GroupKey],
        measures: &mut Measures,
        selected: &Selected,
    ) -> Result<Vec<OrderKey>> {
        let reader = self.reader(record)?;
        let mut order: Vec<OrderKey> = Vec::new();
        for item in selected.argument("orderBy").map(input::read_list).unwrap_or_default() {
            let key = order_key(record, keys, measures, item)
                .map_err(|error| error.at("orderBy"))?;
            if let Some(field) = key.1 {
                filter::allow_field(&reader, field)?;
            }
            order.push(key.0);
        }
        // Every key follows, so that the order is total.
        for (number, key) in keys.iter().enumerate() {
            let column = format!("g.k{number}");
            let known = order.iter().any(|known| {
                matches!(&known.expression, Expression::Written(text) if *text == column)
            });
            if !known {
                order.push(OrderKey {
                    expression: Expression::Written(column),
                    bind: key.bind(),
                    nullable: key.field.nullable,
                    descending: false,
                    nulls_first: false,
                });
            }
        }
        Ok(order)
    }

    fn group_connection(
        &mut self,
        record: &'static Record,
        groups: &mut Groups,
        selection: &[Selected],
    ) -> Result<()> {
        for selected in selection {
            self.enter(selected);
            let item = match selected.name.as_str() {
                "nodes" => {
                    ConnectionItem::Nodes(self.group_node(record, groups, &selected.children)?)
                }
                "totalCount" => {
                    groups.wants_total = true;
                    ConnectionItem::TotalCount
                }
                "pageInfo" => ConnectionItem::PageInfo(
                    selected
                        .children
                        .iter()
                        .map(|child| {
                            let field = match child.name.as_str() {
                                "hasNextPage" => PageInfoField::HasNextPage,
                                "hasPreviousPage" => PageInfoField::HasPreviousPage,
                                "startCursor" => PageInfoField::StartCursor,
                                "endCursor" => PageInfoField::EndCursor,
                                _ => PageInfoField::Typename,
                            };
                            (json_key(&child.key), field)
                        })
                        .collect(),
                ),
                _ => ConnectionItem::Literal(json_text(&format!("{}GroupConnection", record.name))),
            };
            groups.items.push((json_key(&selected.key), item));
            self.leave();
        }
        Ok(())
    }

    fn group_node(
        &mut self,
        record: &'static Record,
        groups: &mut Groups,
        selection: &[Selected],
    ) -> Result<Vec<(Box<str>, NodeItem)>> {
        let grouped: Vec<&'static str> =
            groups.keys.iter().map(|key| key.field.column).collect();
        let name = format!("{}Group", record.name);
        let mut items = Vec::with_capacity(selection.len());
        for selected in selection {
            self.enter(selected);
            let item = match selected.name.as_str() {
                "key" => NodeItem::Key(key_items(record, &groups.keys, &selected.children)?),
                "__typename" => NodeItem::Literal(json_text(&name)),
                _ => {
                    // One measure at a time, so that response order is kept.
                    self.leave();
                    let shape = self.aggregate_shape(
                        record,
                        &mut groups.measures,
                        std::slice::from_ref(selected),
                        (&grouped, &name),
                    )?;
                    self.enter(selected);
                    NodeItem::Measures(shape)
                }
            };
            items.push((json_key(&selected.key), item));
            self.leave();
        }
        Ok(items)
    }
}

fn group_key(record: &'static Record, input: &Input, tenant_zone: Tz) -> Result<GroupKey> {
    let Input::Object(entries) = input else {
        return Err(Error::invalid(say("expected an object", "esperava um objeto")));
    };
    let text = |name: &str| match entries.get(name) {
        Some(Input::Enum(value)) => Some(value.to_string()),
        Some(Input::String(value)) => Some(value.clone()),
        _ => None,
    };
    let name = text("field").unwrap_or_default();
    let field = record
        .fields
        .iter()
        .find(|field| field.group && field.enum_name() == name)
        .ok_or_else(|| {
            Error::invalid(say(
                format!("{} cannot be grouped by {name}", record.name),
                format!("{} não pode ser agrupado por {name}", record.name),
            ))
        })?;
    let zone = match text("timeZone") {
        None => tenant_zone,
        Some(name) => name.parse::<Tz>().map_err(|_unknown| {
            Error::invalid_field(
                "timeZone",
                say(
                    format!("unknown time zone {name}: use an IANA name"),
                    format!("fuso desconhecido {name}: use um nome IANA"),
                ),
            )
        })?,
    };
    let temporal = matches!(field.kind, Kind::Date | Kind::Instant);
    let bucket = match text("bucket") {
        None if temporal => Some((Bucket::Day, zone)),
        None => None,
        Some(_) if !temporal => {
            return Err(Error::invalid_field(
                "bucket",
                say("only dates have buckets", "só datas têm períodos"),
            ));
        }
        Some(name) => Bucket::ALL
            .into_iter()
            .find(|bucket| bucket.graphql_name() == name)
            .map(|bucket| (bucket, zone)),
    };
    Ok(GroupKey { field, bucket })
}

fn order_key(
    record: &'static Record,
    keys: &[GroupKey],
    measures: &mut Measures,
    input: &Input,
) -> Result<(OrderKey, Option<&'static Field>)> {
    let Input::Object(entries) = input else {
        return Err(Error::invalid(say("expected an object", "esperava um objeto")));
    };
    let text = |name: &str| match entries.get(name) {
        Some(Input::Enum(value)) => Some(value.to_string()),
        Some(Input::String(value)) => Some(value.clone()),
        _ => None,
    };
    let descending = text("direction").as_deref() == Some("DESC");
    let nulls_first = text("nulls").as_deref() == Some("FIRST");
    let by = text("by").unwrap_or_default();
    let key = |text: String, bind, nullable| OrderKey {
        expression: Expression::Written(text),
        bind,
        nullable,
        descending,
        nulls_first,
    };
    if by == "COUNT" {
        let number = measures.number(Measure::Count);
        return Ok((key(format!("g.m{number}"), NullOf::Int, false), None));
    }
    let name = text("field").unwrap_or_default();
    let field = record.fields.iter().find(|field| field.enum_name() == name);
    let unknown = || {
        Error::invalid(say(
            format!("groups cannot be ordered by {by} of {name}"),
            format!("grupos não podem ser ordenados por {by} de {name}"),
        ))
    };
    let field = field.ok_or_else(unknown)?;
    if by == "KEY" {
        let number = keys
            .iter()
            .position(|known| known.field.name == field.name)
            .ok_or_else(unknown)?;
        let bind = keys.get(number).map_or(NullOf::Text, GroupKey::bind);
        return Ok((key(format!("g.k{number}"), bind, field.nullable), None));
    }
    let reference =
        measures.reference(&by.to_lowercase(), field).ok_or_else(unknown)?;
    Ok(match reference {
        Reference::Sum(number) => {
            (key(format!("g.m{number}"), NullOf::Int, true), Some(field))
        }
        Reference::Extreme(number) => {
            (key(format!("g.m{number}"), field.kind.bind(), true), Some(field))
        }
        Reference::Average { sum, count } => {
            (key(average_sql(sum, count), NullOf::Float, true), Some(field))
        }
    })
}

/// An average over the group's columns; null of nothing.
fn average_sql(sum: usize, count: usize) -> String {
    format!("(CAST(g.m{sum} AS double precision) / NULLIF(g.m{count}, 0))")
}

fn compare(
    terms: &mut Vec<Having>,
    reference: Reference,
    kind: Kind,
    average: bool,
    input: &Input,
) -> Result<()> {
    let Input::Object(entries) = input else {
        return Err(Error::invalid_field("having", say("an object", "um objeto")));
    };
    for (name, value) in entries {
        if matches!(value, Input::Null) {
            continue;
        }
        let symbol = match name.as_str() {
            "eq" => "=",
            "ne" => "<>",
            "gt" => ">",
            "gte" => ">=",
            "lt" => "<",
            "lte" => "<=",
            other => {
                return Err(Error::invalid_field(
                    "having",
                    say(
                        format!("having does not know {other}"),
                        format!("having não conhece {other}"),
                    ),
                ));
            }
        };
        let value = if average && matches!(kind, Kind::Int) {
            match value {
                Input::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
                _ => return Err(Error::invalid_field("having", say("a number", "um número"))),
            }
        } else if matches!(kind, Kind::Int) {
            Value::Int(input::read_int(value)?)
        } else {
            input::read(kind, value)?
        };
        terms.push(Having { reference, symbol, value });
    }
    Ok(())
}

fn key_items(
    record: &Record,
    keys: &[GroupKey],
    selection: &[Selected],
) -> Result<Vec<(Box<str>, KeyItem)>> {
    selection
        .iter()
        .map(|selected| {
            let name = selected.name.as_str();
            let item = if name == "__typename" {
                KeyItem::Literal(json_text(&format!("{}GroupKey", record.name)))
            } else {
                let number = keys.iter().position(|key| key.field.name == name);
                KeyItem::Key(number.ok_or_else(|| {
                    Error::invalid_field(
                        name.to_owned(),
                        say(
                            format!("{name} is not among the fields grouped by"),
                            format!("{name} não está entre os campos agrupados"),
                        ),
                    )
                })?)
            };
            Ok((json_key(&selected.key), item))
        })
        .collect()
}

/// The groups of a page, and how many there are in all where that was asked.
pub struct FetchedGroups {
    rows: Vec<Row>,
    more: bool,
    total: Option<i64>,
}

/// Runs the group query (and the count of groups where asked).
pub async fn fetch_groups(conn: &Conn, plan: &Groups) -> Result<FetchedGroups> {
    let tier = plan.base.tier(conn).await?;
    let reader = plan.base.reader()?;
    let mut sql = plan.base.begin(conn)?;
    let grouped = grouped_sql(conn, plan, &mut sql, tier)?;
    let mut conditions = having_sql(&mut sql, &plan.having);
    let expressions: Vec<String> =
        plan.order.iter().map(|key| key.expression.write(&mut sql)).collect();
    if let Some(cursor) = &plan.cursor {
        // The groups are computed whole before they are paged: no index is defeated by an OR here.
        let mut alternatives = Vec::new();
        for range in page::ranges(&plan.order, Some(cursor)) {
            let terms =
                page::write_range(&mut sql, &range, &plan.order, &expressions, Some(cursor))?;
            alternatives.push(format!("({})", terms.join(" AND ")));
        }
        conditions.push(if alternatives.is_empty() {
            "FALSE".to_owned()
        } else {
            format!("({})", alternatives.join(" OR "))
        });
    }
    let order = page::order_terms(&plan.order, &expressions, &Vec::new());
    let averages: String = expressions
        .iter()
        .enumerate()
        .map(|(number, expression)| format!(", {expression} AS o{number}"))
        .collect();
    sql.push(&format!(
        "SELECT g.*{averages} FROM ({grouped}) g WHERE {} ORDER BY {order} LIMIT {}",
        crate::record::sql::all_of(&conditions),
        plan.page.rows + 1
    ));
    let mut rows = conn.rows(reader, &sql.finish()).await?;
    let limit = usize::try_from(plan.page.rows).map_err(Error::internal)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut total = None;
    if plan.wants_total {
        let mut sql = plan.base.begin(conn)?;
        let grouped = grouped_sql(conn, plan, &mut sql, tier)?;
        let conditions = having_sql(&mut sql, &plan.having);
        sql.push(&format!(
            "SELECT count(*) FROM ({grouped}) g WHERE {}",
            crate::record::sql::all_of(&conditions)
        ));
        total = conn.row(reader, &sql.finish()).await?.map(|row| row.int(0)).transpose()?.flatten();
    }
    Ok(FetchedGroups { rows, more, total })
}

fn grouped_sql(
    conn: &Conn,
    plan: &Groups,
    sql: &mut Sql,
    tier: crate::record::search::Tier,
) -> Result<String> {
    let conditions = plan.base.conditions(sql, tier)?;
    let keys: Vec<String> = plan.keys.iter().map(|key| key.sql(sql)).collect();
    let mut columns: Vec<String> =
        keys.iter().enumerate().map(|(number, key)| format!("{key} AS k{number}")).collect();
    columns.extend(
        select_measures(conn, &plan.measures)
            .into_iter()
            .enumerate()
            .map(|(number, measure)| format!("{measure} AS m{number}")),
    );
    let positions: Vec<String> = (1..=keys.len()).map(|number| number.to_string()).collect();
    Ok(format!(
        "SELECT {} FROM {} t0 WHERE {conditions} GROUP BY {}",
        columns.join(", "),
        plan.base.level.record.table,
        positions.join(", ")
    ))
}

fn having_sql(sql: &mut Sql, having: &[Having]) -> Vec<String> {
    having
        .iter()
        .map(|term| {
            let expression = match term.reference {
                Reference::Sum(number) | Reference::Extreme(number) => format!("g.m{number}"),
                Reference::Average { sum, count } => average_sql(sum, count),
            };
            let placeholder = sql.bind(term.value.clone());
            format!("{expression} {} {placeholder}", term.symbol)
        })
        .collect()
}

/// Writes the connection.
pub fn write_groups(out: &mut Vec<u8>, plan: &Groups, fetched: &FetchedGroups) -> Result<()> {
    out.push(b'{');
    for (number, (key, item)) in plan.items.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        match item {
            ConnectionItem::Nodes(items) => {
                out.push(b'[');
                for (number, row) in fetched.rows.iter().enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    write_node(out, plan, items, row)?;
                }
                out.push(b']');
            }
            ConnectionItem::TotalCount => push_int(out, fetched.total.unwrap_or_default()),
            ConnectionItem::PageInfo(keys) => write_page_info(out, plan, fetched, keys)?,
            ConnectionItem::Literal(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
    out.push(b'}');
    Ok(())
}

fn write_node(
    out: &mut Vec<u8>,
    plan: &Groups,
    items: &[(Box<str>, NodeItem)],
    row: &Row,
) -> Result<()> {
    out.push(b'{');
    for (number, (key, item)) in items.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        match item {
            NodeItem::Key(keys) => {
                out.extend_from_slice(key.as_bytes());
                out.push(b'{');
                for (number, (key, item)) in keys.iter().enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(key.as_bytes());
                    match item {
                        KeyItem::Key(number) => write_key(out, plan, *number, row)?,
                        KeyItem::Literal(text) => out.extend_from_slice(text.as_bytes()),
                    }
                }
                out.push(b'}');
            }
            NodeItem::Literal(text) => {
                out.extend_from_slice(key.as_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            // Its single item brings its own key.
            NodeItem::Measures(shape) => write_items(out, shape, row, plan.keys.len())?,
        }
    }
    out.push(b'}');
    Ok(())
}

fn write_key(out: &mut Vec<u8>, plan: &Groups, number: usize, row: &Row) -> Result<()> {
    let key = plan.keys.get(number).ok_or_else(|| Error::internal("a group lost a key"))?;
    let Some((_, zone)) = &key.bucket else {
        let value = row.value(number, key.field.kind.bind())?;
        return write_value(out, &value, key.field.kind, "BRL");
    };
    let Some(text) = row.text(number)? else {
        out.extend_from_slice(b"null");
        return Ok(());
    };
    let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").map_err(Error::internal)?;
    if matches!(key.field.kind, Kind::Date) {
        push_date(out, date.signed_duration_since(NaiveDate::default()).num_days());
    } else {
        push_instant(out, first_instant_of(date, *zone).timestamp_micros());
    }
    Ok(())
}

/// The first instant of a calendar day in a zone: midnight, or where the clock was put forward at
/// midnight, the first time that exists.
pub fn first_instant_of(date: NaiveDate, zone: Tz) -> chrono::DateTime<Utc> {
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    for quarter in 0..=100 {
        let local = midnight + TimeDelta::minutes(15 * quarter);
        if let Some(at) = zone.from_local_datetime(&local).earliest() {
            return at.with_timezone(&Utc);
        }
    }
    midnight.and_utc()
}

fn write_page_info(
    out: &mut Vec<u8>,
    plan: &Groups,
    fetched: &FetchedGroups,
    keys: &[(Box<str>, PageInfoField)],
) -> Result<()> {
    let cursor_of = |row: Option<&Row>| -> Result<Option<String>> {
        let Some(row) = row else { return Ok(None) };
        let first = plan.keys.len() + plan.measures.0.len();
        let values = plan
            .order
            .iter()
            .enumerate()
            .map(|(number, key)| row.value(first + number, key.bind))
            .collect::<Result<Vec<_>>>()?;
        Ok(Some(cursor::encode(plan.fingerprint, &values)))
    };
    out.push(b'{');
    for (number, (key, field)) in keys.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        let cursor = match field {
            PageInfoField::HasNextPage => {
                push_bool(out, fetched.more);
                continue;
            }
            PageInfoField::HasPreviousPage => {
                push_bool(out, plan.cursor.is_some());
                continue;
            }
            PageInfoField::Typename => {
                push_text(out, "PageInfo");
                continue;
            }
            PageInfoField::StartCursor => cursor_of(fetched.rows.first())?,
            PageInfoField::EndCursor => cursor_of(fetched.rows.last())?,
        };
        match cursor {
            Some(cursor) => push_text(out, &cursor),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    Ok(())
}
