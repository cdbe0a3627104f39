//! `orderBy` -> sort keys. The last key is always the id, so that every order is total; nulls have a
//! pinned place (last unless asked otherwise), the same on both databases.

use async_graphql::Value as Input;

use super::declare::{Record, RelationKind};
use super::filter;
use super::search::SearchPlan;
use super::sql::Sql;
use crate::db::{NullOf, Value};
use crate::error::{Error, Result, say};
use crate::{access::Reader, limits};

/// One key of an order.
#[derive(Debug, Clone)]
pub struct OrderKey {
    pub expression: Expression,
    pub bind: NullOf,
    pub nullable: bool,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Debug, Clone)]
pub enum Expression {
    /// A column of the level (`table` 0) or of one of its joins.
    Column { table: usize, column: String },
    /// How well the row's search text fits, smaller is better; the folded words sought.
    SearchRank { words: String },
    SearchLength,
    /// Finished text, over the columns of a grouped query.
    Written(String),
}

impl Expression {
    pub fn write(&self, sql: &mut Sql) -> String {
        match self {
            Self::Column { table, column } => format!("t{table}.{column}"),
            Self::SearchRank { words } => {
                let at_word = sql.bind(Value::Text(format!(" {words}")));
                let position = sql.dialect.position("t0.search_text", &at_word);
                format!("(CASE {position} WHEN 1 THEN 0 WHEN 0 THEN 2 ELSE 1 END)")
            }
            Self::SearchLength => "length(t0.search_text)".to_owned(),
            Self::Written(text) => text.clone(),
        }
    }
}

impl OrderKey {
    pub fn column(column: impl Into<String>, bind: NullOf, descending: bool) -> Self {
        Self {
            expression: Expression::Column { table: 0, column: column.into() },
            bind,
            nullable: false,
            descending,
            nulls_first: false,
        }
    }

    /// The same key, read from the other end.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            descending: !self.descending,
            nulls_first: !self.nulls_first,
            ..self.clone()
        }
    }
}

/// What an order may ask of the level it sorts.
pub trait Joins {
    /// The table number of a to-one relation of table `from`, joined if it is not yet, and the
    /// caller's right to read it.
    fn join(&mut self, from: usize, relation: &'static super::declare::Relation)
    -> Result<usize>;
    fn reader(&self, table: usize) -> &Reader;
}

/// Reads `orderBy`, or the default order; appends the id.
pub fn read(
    joins: &mut impl Joins,
    record: &'static Record,
    input: Option<&Input>,
    search: Option<&SearchPlan>,
) -> Result<Vec<OrderKey>> {
    let mut keys = Vec::new();
    match input {
        Some(input) => {
            let items = super::input::read_list(input);
            if items.len() > limits::ORDER_KEYS_MAX {
                return Err(Error::limit(say(
                    format!("orderBy takes at most {} keys", limits::ORDER_KEYS_MAX),
                    format!("orderBy aceita no máximo {} chaves", limits::ORDER_KEYS_MAX),
                )));
            }
            for item in items {
                keys.push(read_key(joins, record, 0, item)?);
            }
        }
        None if search.is_some() => {}
        None => {
            let (name, descending) = record.default_order;
            if let Some(field) = record.find_field(name) {
                let mut key = OrderKey::column(field.sort_column(), field.kind.bind(), descending);
                key.nullable = field.nullable;
                keys.push(key);
            }
        }
    }
    if keys.is_empty()
        && let Some(search) = search
    {
        keys.extend(search.rank_keys());
    }
    // The id goes the way of the last key: a uniform direction makes a seek one row comparison.
    let descending = keys.last().is_some_and(|key| key.descending);
    keys.push(OrderKey::column("id", NullOf::Id, descending));
    Ok(keys)
}

fn read_key(
    joins: &mut impl Joins,
    record: &'static Record,
    table: usize,
    input: &Input,
) -> Result<OrderKey> {
    let Input::Object(entries) = input else {
        return Err(Error::invalid_field(
            "orderBy",
            say("expected an input object", "esperava um objeto de entrada"),
        ));
    };
    let text = |name: &str| match entries.get(name) {
        Some(Input::Enum(value)) => Some(value.to_string()),
        Some(Input::String(value)) => Some(value.clone()),
        _ => None,
    };
    let nested: Vec<_> = entries
        .iter()
        .filter(|(name, value)| {
            !matches!(name.as_str(), "field" | "direction" | "nulls")
                && !matches!(value, Input::Null)
        })
        .collect();
    match (text("field"), nested.as_slice()) {
        (Some(name), []) => {
            let field = record
                .fields
                .iter()
                .find(|field| field.sort && field.enum_name() == name)
                .ok_or_else(|| Error::invalid_field("orderBy", unsortable(record, &name)))?;
            filter::allow_field(joins.reader(table), field)?;
            let descending = text("direction").as_deref() == Some("DESC");
            Ok(OrderKey {
                expression: Expression::Column { table, column: field.sort_column() },
                bind: field.kind.bind(),
                // A related row may be absent.
                nullable: field.nullable || table > 0,
                descending,
                nulls_first: text("nulls").as_deref() == Some("FIRST"),
            })
        }
        (None, [(name, value)]) => {
            let relation = record
                .find_relation(name.as_str())
                .filter(|relation| matches!(relation.kind, RelationKind::One { .. }))
                .ok_or_else(|| Error::invalid_field("orderBy", unsortable(record, name.as_str())))?;
            let next = joins.join(table, relation)?;
            read_key(joins, (relation.target)(), next, value)
        }
        _ => Err(Error::invalid_field(
            "orderBy",
            say(
                "each key of orderBy names exactly one field or one relation",
                "cada chave de orderBy nomeia exatamente um campo ou uma relação",
            ),
        )),
    }
}

fn unsortable(record: &Record, name: &str) -> crate::error::Message {
    say(
        format!("{} cannot be ordered by {name}", record.name),
        format!("{} não pode ser ordenado por {name}", record.name),
    )
}
