//! What an event shows beside its row: what it says, as far as the caller may read it, and what became
//! of it.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::store::{self, Fate};
use crate::access::{FieldRule, Reader, Resource, RowRule};
use crate::audit::values::Texts;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::Result;

fn id_at(row: &[Value], place: usize) -> Option<Uuid> {
    match row.get(place) {
        Some(Value::Id(id)) => Some(*id),
        _ => None,
    }
}

fn ids_of(rows: &[Vec<Value>], place: usize) -> Vec<Uuid> {
    rows.iter().filter_map(|row| id_at(row, place)).collect()
}

/// Each row holds the event's id and the kind of record it happened to.
pub(super) fn payload<'a>(ctx: &'a Ctx, conn: &'a Conn, rows: &'a [Vec<Value>]) -> Texts<'a> {
    Box::pin(async move {
        let reader = ctx.reader(Resource::Events)?;
        let mut payloads = store::payloads(conn, &reader, ids_of(rows, 0)).await?;
        let text = |row: &Vec<Value>| {
            let payload = id_at(row, 0).and_then(|id| payloads.remove(&id));
            let resource = match row.get(1) {
                Some(Value::Text(resource)) => Some(resource.as_str()),
                _ => None,
            };
            payload.map_or_else(|| "null".to_owned(), |payload| readable(ctx, resource, payload))
        };
        Ok(rows.iter().map(text).collect())
    })
}

/// What happened to a record shows its values to whoever may read all rows of it, without the fields
/// that are masked or hidden from them; to everybody else that something happened.
fn readable(ctx: &Ctx, resource: Option<&str>, mut payload: Json) -> String {
    let Some(resource) = resource.and_then(Resource::parse) else { return payload.to_string() };
    let reader = ctx.reader(resource).ok().filter(|reader| *reader.rows() == RowRule::All);
    match reader {
        None => payload.get("id").map_or(Json::Null, |id| json!({ "id": id })).to_string(),
        Some(reader) => {
            for side in ["before", "after"] {
                if let Some(Json::Object(fields)) = payload.get_mut(side) {
                    keep_plain(&reader, fields);
                }
            }
            payload.to_string()
        }
    }
}

fn keep_plain(reader: &Reader, fields: &mut Map<String, Json>) {
    fields.retain(|field, _| reader.field(field) == FieldRule::Plain);
}

pub(super) fn source_id<'a>(ctx: &'a Ctx, conn: &'a Conn, rows: &'a [Vec<Value>]) -> Texts<'a> {
    Box::pin(async move {
        let reader = ctx.reader(Resource::Events)?;
        let sources = store::source_ids(conn, &reader, ids_of(rows, 0)).await?;
        let text = |row: &Vec<Value>| json!(id_at(row, 0).and_then(|id| sources.get(&id)));
        Ok(rows.iter().map(|row| text(row).to_string()).collect())
    })
}

/// What became of each row's event: each row holds the event's id and its batch's.
async fn fates(ctx: &Ctx, conn: &Conn, rows: &[Vec<Value>]) -> Result<Vec<Fate>> {
    let reader = ctx.reader(Resource::Events)?;
    let batches = store::batches(conn, &reader, ids_of(rows, 1)).await?;
    let failures = store::failures(conn, &reader, ids_of(rows, 0)).await?;
    let fate = |row: &Vec<Value>| {
        let batch = id_at(row, 1).and_then(|id| batches.get(&id)).cloned().unwrap_or_default();
        fate_of(id_at(row, 0), batch, &failures)
    };
    Ok(rows.iter().map(fate).collect())
}

/// An event goes the way of its batch, unless it failed by itself.
fn fate_of(id: Option<Uuid>, batch: Fate, failures: &HashMap<Uuid, (String, String)>) -> Fate {
    match id.and_then(|id| failures.get(&id)) {
        Some((state, error)) => Fate { status: state.clone(), error: Some(error.clone()), ..batch },
        None => batch,
    }
}

macro_rules! of_fate {
    ($($name:ident $read:expr;)*) => {$(
        pub(super) fn $name<'a>(ctx: &'a Ctx, conn: &'a Conn, rows: &'a [Vec<Value>]) -> Texts<'a> {
            Box::pin(async move {
                let read: fn(&Fate) -> Json = $read;
                Ok(fates(ctx, conn, rows).await?.iter().map(|fate| read(fate).to_string()).collect())
            })
        }
    )*};
}

of_fate! {
    status |fate| json!(fate.status);
    error |fate| json!(fate.error);
    attempts |fate| json!(fate.attempts);
    processing_ms |fate| json!(fate.processing_ms);
}
