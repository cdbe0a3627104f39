//! Rows of `quarantined_events`, looked for and decided anew.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::access::Permit;
use crate::db::{Conn, List, Lists, Row, Statement, Value};
use crate::error::{Error, Result};

const COLUMNS: &str = "id, source_id, module, event_type, reason, detail, body, state, event_id, \
                       received_at, updated_at";

/// An event that is kept apart.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) id: Uuid,
    pub(super) source_id: Option<String>,
    pub(super) module: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) reason: String,
    pub(super) detail: String,
    pub(super) body: Json,
    pub(super) state: String,
    pub(super) event_id: Option<Uuid>,
    pub(super) received_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

/// Which of those that wait; what is `None` is any.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) reason: Option<String>,
    pub(super) module: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) received_after: Option<DateTime<Utc>>,
    pub(super) received_before: Option<DateTime<Utc>>,
}

fn kept(row: &Row) -> Result<Kept> {
    let instant = |column| {
        row.instant(column)?.ok_or_else(|| Error::internal("a quarantined event without its time"))
    };
    Ok(Kept {
        id: row.required_id(0)?,
        source_id: row.text(1)?,
        module: row.text(2)?,
        event_type: row.text(3)?,
        reason: row.text(4)?.unwrap_or_default(),
        detail: row.text(5)?.unwrap_or_default(),
        body: row.json(6)?.unwrap_or_default(),
        state: row.text(7)?.unwrap_or_default(),
        event_id: row.id(8)?,
        received_at: instant(9)?,
        updated_at: instant(10)?,
    })
}

/// Those of these ids that are there, in whatever state, oldest first; held until the transaction
/// ends, so that nobody else decides them meanwhile.
pub(super) async fn hold(conn: &Conn, permit: &impl Permit, ids: Vec<Uuid>) -> Result<Vec<Kept>> {
    by_ids(conn, permit, ids, conn.dialect().for_update()).await
}

/// As [`hold`], without holding them.
pub(super) async fn named(conn: &Conn, permit: &impl Permit, ids: Vec<Uuid>) -> Result<Vec<Kept>> {
    by_ids(conn, permit, ids, "").await
}

async fn by_ids(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
    lock: &str,
) -> Result<Vec<Kept>> {
    let dialect = conn.dialect();
    let sql = format!(
        "SELECT {COLUMNS} FROM quarantined_events WHERE tenant_id = {} AND {} \
         ORDER BY received_at, id{lock}",
        dialect.placeholder(1),
        dialect.in_ids("id", &dialect.placeholder(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    conn.rows(permit, &Statement::new(sql, values)).await?.iter().map(kept).collect()
}

/// Of those that wait, the ones that nobody touched for longest, and how many there are in all.
pub(super) async fn waiting(
    conn: &Conn,
    permit: &impl Permit,
    filter: &Filter,
    most: i64,
) -> Result<(Vec<Kept>, i64)> {
    let dialect = conn.dialect();
    let mut values = vec![Value::Id(permit.tenant_id())];
    let mut condition = format!("tenant_id = {} AND state = 'waiting'", dialect.placeholder(1));
    let text = |value: &Option<String>| value.clone().map(Value::Text);
    let wanted = [
        ("reason =", text(&filter.reason)),
        ("module =", text(&filter.module)),
        ("event_type =", text(&filter.event_type)),
        ("received_at >", filter.received_after.map(Value::Instant)),
        ("received_at <", filter.received_before.map(Value::Instant)),
    ];
    for (comparison, value) in wanted {
        let Some(value) = value else { continue };
        values.push(value);
        condition.push_str(&format!(" AND {comparison} {}", dialect.placeholder(values.len())));
    }
    let count = format!("SELECT count(*) FROM quarantined_events WHERE {condition}");
    let count = conn.row(permit, &Statement::new(count, values.clone())).await?;
    let count = count.map(|row| row.int(0)).transpose()?.flatten().unwrap_or_default();
    values.push(Value::Int(most));
    let sql = format!(
        "SELECT {COLUMNS} FROM quarantined_events WHERE {condition} \
         ORDER BY updated_at, id LIMIT {}",
        dialect.placeholder(values.len())
    );
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    Ok((rows.iter().map(kept).collect::<Result<_>>()?, count))
}

/// Writes rows that are there, as they are now.
pub(super) async fn put(conn: &Conn, permit: &impl Permit, rows: &[Kept]) -> Result<()> {
    let ids = |of: fn(&Kept) -> Uuid| List::Ids(rows.iter().map(of).collect());
    let texts = |of: fn(&Kept) -> String| List::Texts(rows.iter().map(of).collect());
    let optional =
        |of: fn(&Kept) -> Option<String>| List::OptionalTexts(rows.iter().map(of).collect());
    let instants = |of: fn(&Kept) -> DateTime<Utc>| List::Instants(rows.iter().map(of).collect());
    let lists = Lists {
        table: "quarantined_events",
        columns: vec![
            ("tenant_id", List::Same(Value::Id(permit.tenant_id()))),
            ("id", ids(|row| row.id)),
            ("source_id", optional(|row| row.source_id.clone())),
            ("module", optional(|row| row.module.clone())),
            ("event_type", optional(|row| row.event_type.clone())),
            ("reason", texts(|row| row.reason.clone())),
            ("detail", texts(|row| row.detail.clone())),
            ("body", List::Jsons(rows.iter().map(|row| row.body.clone()).collect())),
            ("state", texts(|row| row.state.clone())),
            ("event_id", List::OptionalIds(rows.iter().map(|row| row.event_id).collect())),
            ("received_at", instants(|row| row.received_at)),
            ("updated_at", instants(|row| row.updated_at)),
        ],
        then: "ON CONFLICT (tenant_id, id) DO UPDATE SET source_id = excluded.source_id, \
               module = excluded.module, event_type = excluded.event_type, \
               reason = excluded.reason, detail = excluded.detail, body = excluded.body, \
               state = excluded.state, event_id = excluded.event_id, \
               updated_at = excluded.updated_at",
    };
    conn.insert_lists(permit, lists).await.map(drop)
}
