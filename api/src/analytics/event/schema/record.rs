//! Declaration of the event types that a tenant uploaded: read; what changes them are two mutations.

use std::sync::LazyLock;

use entity::event_schema::{Column, Entity};

use super::{documentation, parse};
use crate::access::{FieldRule, Resource};
use crate::audit::values::Texts;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::identity::user;
use crate::record::declare::{Computed, field};
use crate::record::{Kind, Record, declare};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>("EventSchema", "eventSchema", "eventSchemas", Resource::Events)
        .about("A version of an event type that the tenant declared (esquema de evento).")
        .ordered_by("createdAt", true)
        .field(field(Column::Id, Kind::Id).filter().read_only())
        .field(field(Column::CreatedAt, Kind::Instant).filter().sort().group().read_only())
        .field(field(Column::CreatedBy, Kind::Id).filter().read_only().about("Who uploaded it."))
        .field(field(Column::Module, Kind::Code).filter().group().read_only())
        .field(field(Column::EventType, Kind::Code).filter().group().read_only())
        .field(field(Column::SchemaVersion, Kind::Int).range(1, 9_999).filter().read_only())
        .field(
            field(Column::Schema, Kind::Json)
                .read_only()
                .about("JSON Schema (draft 2020-12) of the payload, as it was uploaded."),
        )
        .one("creator", Column::CreatedBy, user::record::record, "")
        .computed(Computed {
            name: "documentation",
            about: "What it says, in Markdown; for whoever may read the schema.",
            graphql_type: "String",
            needs: &["module", "event_type", "schema_version", "schema"],
            resolve: documented,
        })
}

fn documented<'a>(ctx: &'a Ctx, _conn: &'a Conn, rows: &'a [Vec<Value>]) -> Texts<'a> {
    Box::pin(async move {
        let reader = ctx.reader(Resource::Events)?;
        let may = reader.field("schema") == FieldRule::Plain;
        let text = |row: &Vec<Value>| {
            written(row).filter(|_| may).map_or_else(
                || "null".to_owned(),
                |text| serde_json::Value::String(text).to_string(),
            )
        };
        Ok(rows.iter().map(text).collect())
    })
}

fn written(row: &[Value]) -> Option<String> {
    match row {
        [
            Value::Text(module),
            Value::Text(event_type),
            Value::Int(version),
            Value::Json(schema),
        ] => {
            let usable = parse::read(schema).ok()?;
            Some(documentation::markdown((module, event_type, *version), &usable.expanded))
        }
        _ => None,
    }
}
