//! What an entry's values look like to a caller: the personal ones among the others while they are
//! there, and only what the caller may read of the record itself.
//!
//! An entry of a record shows its values to whoever may read all rows of that record, without the
//! fields that are masked or hidden from them; to everybody else it shows that something was done.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use serde_json::Value as Json;
use uuid::Uuid;

use super::store;
use crate::access::{FieldRule, Reader, Resource, RowRule};
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::Result;

/// Finished JSON texts, one for each row.
pub type Texts<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>>> + Send + 'a>>;

/// The values before the change; each row holds the entry's id.
pub fn old<'a>(ctx: &'a Ctx, conn: &'a Conn, rows: &'a [Vec<Value>]) -> Texts<'a> {
    Box::pin(shown(ctx, conn, rows, ("old", "old_values")))
}

/// The values after it.
pub fn new<'a>(ctx: &'a Ctx, conn: &'a Conn, rows: &'a [Vec<Value>]) -> Texts<'a> {
    Box::pin(shown(ctx, conn, rows, ("new", "new_values")))
}

/// Whether the entry has its place in the chain; each row holds that place.
pub fn sealed<'a>(_ctx: &'a Ctx, _conn: &'a Conn, rows: &'a [Vec<Value>]) -> Texts<'a> {
    let text = |row: &Vec<Value>| row.first().is_some_and(|seq| !seq.is_null()).to_string();
    Box::pin(async move { Ok(rows.iter().map(text).collect()) })
}

async fn shown(
    ctx: &Ctx,
    conn: &Conn,
    rows: &[Vec<Value>],
    (side, column): (&str, &str),
) -> Result<Vec<String>> {
    let id_of = |row: &Vec<Value>| match row.first() {
        Some(Value::Id(id)) => Some(*id),
        _ => None,
    };
    let ids: Vec<Uuid> = rows.iter().filter_map(id_of).collect();
    if ids.is_empty() {
        return Ok(vec!["null".to_owned(); rows.len()]);
    }
    let permit = ctx.reader(Resource::AuditLogs)?;
    let mut texts = HashMap::with_capacity(ids.len());
    for (id, resource, values, personal) in store::images(conn, &permit, column, ids).await? {
        texts.insert(id, image(ctx, &resource, values, personal.and_then(|all| part(all, side))));
    }
    let text_of = |row: &Vec<Value>| id_of(row).and_then(|id| texts.get(&id).cloned());
    Ok(rows.iter().map(|row| text_of(row).unwrap_or_else(|| "null".to_owned())).collect())
}

fn part(mut personal: Json, side: &str) -> Option<Json> {
    personal.get_mut(side).map(Json::take)
}

fn image(ctx: &Ctx, resource: &str, values: Option<Json>, personal: Option<Json>) -> String {
    let mut image = match (values, personal) {
        (None, None) => return "null".to_owned(),
        (values, personal) => values.or(Some(Json::Null)).into_iter().chain(personal).fold(
            serde_json::Map::new(),
            |mut all, json| {
                if let Json::Object(map) = json {
                    all.extend(map);
                }
                all
            },
        ),
    };
    // What is no record's (a session, a tenant) has no rules of its own.
    if let Some(resource) = Resource::parse(resource) {
        match whole_reader(ctx, resource) {
            Some(reader) => image.retain(|field, _| reader.field(field) == FieldRule::Plain),
            None => return "null".to_owned(),
        }
    }
    Json::Object(image).to_string()
}

fn whole_reader(ctx: &Ctx, resource: Resource) -> Option<Reader> {
    ctx.reader(resource).ok().filter(|reader| *reader.rows() == RowRule::All)
}
