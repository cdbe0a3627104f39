//! `orderBy` -> sort keys. The last key is always the id, so that every order is total; nulls have a
//! pinned place (last unless asked otherwise), the same on both databases.

use std::sync::Arc;

use async_graphql::Value as Input;

use super::declare::{Record, Relation, RelationKind};
use super::search::SearchPlan;
use super::sql::Sql;
use super::{filter, input};
use crate::access::Reader;
use crate::db::{NullOf, Value};
use crate::error::{Error, Result, say};
use crate::limits;

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
    Column {
        table: usize,
        column: String,
    },
    /// How well the row's search text fits, smaller is better; the folded words sought.
    SearchRank {
        words: String,
    },
    SearchLength,
    /// Finished text, over the columns of a grouped query.
    Written(String),
}

impl Expression {
    pub fn write(&self, sql: &mut Sql) -> String {
        match self {
            Self::Column { table, column } => {
                ["t", itoa::Buffer::new().format(*table), ".", column].concat()
            }
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
        Self { descending: !self.descending, nulls_first: !self.nulls_first, ..self.clone() }
    }
}

/// Joins a to-one relation of a table of the level that is sorted: the number of the table joined,
/// and the caller's right to read it.
pub type Join<'a> = &'a mut dyn FnMut(usize, &'static Relation) -> Result<(usize, Arc<Reader>)>;

/// A table of the level: what its rows are, and the caller's right to read them.
struct Place {
    record: &'static Record,
    table: usize,
    reader: Arc<Reader>,
    depth_left: usize,
}

/// Reads `orderBy`, or takes the record's own order (or the rank, when there is a search).
pub fn read(
    join: Join<'_>,
    record: &'static Record,
    reader: &Arc<Reader>,
    input: Option<&Input>,
    search: Option<&SearchPlan>,
) -> Result<Vec<OrderKey>> {
    let items = input.map(input::read_list).unwrap_or_default();
    if items.len() > limits::ORDER_KEYS_MAX {
        return Err(Error::limit(say(
            format!("orderBy takes at most {} keys", limits::ORDER_KEYS_MAX),
            format!("orderBy aceita no máximo {} chaves", limits::ORDER_KEYS_MAX),
        )));
    }
    let mut keys = Vec::with_capacity(items.len() + 2);
    for item in items {
        let place = Place {
            record,
            table: 0,
            reader: Arc::clone(reader),
            depth_left: limits::ORDER_DEPTH_MAX,
        };
        keys.push(read_key(join, &place, item).map_err(|error| error.at("orderBy"))?);
    }
    match search {
        Some(search) if keys.is_empty() => keys.extend(search.rank_keys()),
        None if keys.is_empty() => keys.extend(default_key(record, reader)),
        Some(_) | None => {}
    }
    // The id goes the way of the last key: a uniform direction makes a seek one row comparison.
    let descending = keys.last().map_or(record.default_order.1, |key| key.descending);
    keys.push(OrderKey::column("id", NullOf::Id, descending));
    Ok(keys)
}

/// None where the caller may not know the order: rows then come as they were made.
fn default_key(record: &Record, reader: &Reader) -> Option<OrderKey> {
    let (name, descending) = record.default_order;
    let field = record.find_field(name)?;
    filter::allow_field(reader, field).ok()?;
    let mut key = OrderKey::column(field.sort_column(), field.kind.bind(), descending);
    key.nullable = field.nullable;
    Some(key)
}

fn read_key(join: Join<'_>, place: &Place, input: &Input) -> Result<OrderKey> {
    let Input::Object(entries) = input else {
        return Err(Error::invalid(say(
            "expected an input object",
            "esperava um objeto de entrada",
        )));
    };
    let name_of = |name: &str| entries.get(name).and_then(input::read_name);
    let mut nested = entries.iter().filter(|(name, value)| {
        !matches!(name.as_str(), "field" | "direction" | "nulls") && !matches!(value, Input::Null)
    });
    match (name_of("field"), nested.next(), nested.next()) {
        (Some(name), None, _) => {
            let field = place
                .record
                .fields
                .iter()
                .find(|field| field.sort && field.enum_name() == name)
                .ok_or_else(|| unsortable(place.record, name))?;
            filter::allow_field(&place.reader, field)?;
            Ok(OrderKey {
                expression: Expression::Column { table: place.table, column: field.sort_column() },
                bind: field.kind.bind(),
                // A related row may be absent.
                nullable: field.nullable || place.table > 0,
                descending: name_of("direction") == Some("DESC"),
                nulls_first: name_of("nulls") == Some("FIRST"),
            })
        }
        // The direction belongs to the field, where the chain of relations ends.
        (None, Some((name, value)), None)
            if name_of("direction").is_none() && name_of("nulls").is_none() =>
        {
            let relation = place
                .record
                .find_relation(name.as_str())
                .filter(|relation| matches!(relation.kind, RelationKind::One { .. }))
                .ok_or_else(|| unsortable(place.record, name.as_str()))?;
            filter::allow_relation(&place.reader, place.record, relation)?;
            let depth_left = place.depth_left.checked_sub(1).ok_or_else(too_deep)?;
            let (table, reader) = join(place.table, relation)?;
            let next = Place { record: (relation.target)(), table, reader, depth_left };
            read_key(join, &next, value)
        }
        _ => Err(Error::invalid(say(
            "each key of orderBy names exactly one field, or one relation with a key of its own",
            "cada chave de orderBy nomeia exatamente um campo, ou uma relação com chave própria",
        ))),
    }
}

fn too_deep() -> Error {
    let max = limits::ORDER_DEPTH_MAX;
    Error::limit(say(
        format!("a key of orderBy goes through at most {max} relations"),
        format!("uma chave de orderBy passa por no máximo {max} relações"),
    ))
}

fn unsortable(record: &Record, name: &str) -> Error {
    Error::invalid(say(
        format!("{} cannot be ordered by {name}", record.name),
        format!("{} não pode ser ordenado por {name}", record.name),
    ))
}
