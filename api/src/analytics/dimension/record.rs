//! Declaration of labels of dimensions. A rename is a new row, a correction changes one.

use std::sync::LazyLock;

use chrono::SecondsFormat;
use entity::analytics_dimension::{Column, Entity};
use serde_json::json;
use uuid::Uuid;

use super::store;
use crate::access::Resource;
use crate::audit::values::Texts;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::record::declare::{Changes, Computed, Default, field};
use crate::record::{Kind, Record, declare};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>(
        "AnalyticsDimension",
        "analyticsDimension",
        "analyticsDimensions",
        Resource::Analytics,
    )
    .about(
        "What a value of a dimension is called (dimensão), from a time on, until the next label of \
         the same value. Renaming is making another one; no two of a value begin at once.",
    )
    .stamped(Column::Id, [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt], Column::Version)
    .ordered_by("validFrom", true)
    .changes(Changes {
        enabled: true,
        natural_keys: vec![&["dimension", "value", "validFrom"]],
        emits: Some(("core", "analytics_dimension")),
        ..Changes::default()
    })
    .field(
        field(Column::Dimension, Kind::Code)
            .filter()
            .sort()
            .group()
            .chars(50)
            .about("As `metrics` names it: channel, org_unit, agent, …"),
    )
    .field(
        field(Column::Value, Kind::Code)
            .filter()
            .sort()
            .group()
            .chars(200)
            .about("As events say it (chave)."),
    )
    .field(
        field(Column::Label, Kind::Text)
            .filter()
            .sort()
            .folded()
            .chars(200)
            .about("Values of one label are shown as one where labels are asked for."),
    )
    .field(
        field(Column::Attributes, Kind::Json)
            .default(Default::EmptyObject)
            .about("Whatever else is known of it: a colour, a threshold."),
    )
    .field(
        field(Column::ValidFrom, Kind::Instant)
            .filter()
            .sort()
            .default(Default::Now)
            .about("Now by default."),
    )
    .computed(Computed {
        name: "validTo",
        about: "When the next label of the value begins; null where this is the last.",
        graphql_type: "DateTime",
        needs: &["id"],
        resolve: valid_to,
    })
}

fn valid_to<'a>(ctx: &'a Ctx, conn: &'a Conn, rows: &'a [Vec<Value>]) -> Texts<'a> {
    Box::pin(async move {
        let reader = ctx.reader(Resource::Analytics)?;
        let id_of = |row: &Vec<Value>| match row.first() {
            Some(Value::Id(id)) => Some(*id),
            _ => None,
        };
        let ids: Vec<Uuid> = rows.iter().filter_map(id_of).collect();
        let ends = store::ends(conn, &reader, ids).await?;
        let end = |row: &Vec<Value>| {
            let end = id_of(row).and_then(|id| ends.get(&id));
            let text = end.map(|end| end.to_rfc3339_opts(SecondsFormat::AutoSi, true));
            json!(text).to_string()
        };
        Ok(rows.iter().map(end).collect())
    })
}
