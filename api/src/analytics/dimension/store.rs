//! Rows of `analytics_dimensions`, and what the CRM calls units and people.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::access::Permit;
use crate::db::{Conn, Row, Statement, Value};
use crate::error::{Error, Result};

/// A label, and from when on it counts.
pub(super) struct Label {
    pub(super) dimension: String,
    pub(super) value: String,
    pub(super) from: DateTime<Utc>,
    pub(super) text: String,
}

/// The labels of dimensions, those of a value in the order in which they follow each other.
pub(super) async fn labels(
    conn: &Conn,
    permit: &impl Permit,
    dimensions: &[String],
) -> Result<Vec<Label>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT dimension, value, valid_from, label FROM analytics_dimensions \
         WHERE tenant_id = {} AND {} AND deleted_at IS NULL ORDER BY dimension, value, valid_from",
        place(1),
        conn.dialect().in_list("dimension", &place(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Texts(dimensions.to_vec())];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let label = |row: &Row| {
        Ok(Label {
            dimension: row.text(0)?.unwrap_or_default(),
            value: row.text(1)?.unwrap_or_default(),
            from: row.instant(2)?.ok_or_else(|| Error::internal("a label without its time"))?,
            text: row.text(3)?.unwrap_or_default(),
        })
    };
    rows.iter().map(label).collect()
}

/// When the label that follows each of these begins.
pub(super) async fn ends(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, DateTime<Utc>>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT d.id, (SELECT min(n.valid_from) FROM analytics_dimensions n \
         WHERE n.tenant_id = d.tenant_id AND n.dimension = d.dimension AND n.value = d.value \
         AND n.valid_from > d.valid_from AND n.deleted_at IS NULL) \
         FROM analytics_dimensions d WHERE d.tenant_id = {} AND {}",
        place(1),
        conn.dialect().in_ids("d.id", &place(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    let mut ends = HashMap::new();
    for row in conn.rows(permit, &Statement::new(sql, values)).await? {
        if let Some(end) = row.instant(1)? {
            ends.insert(row.required_id(0)?, end);
        }
    }
    Ok(ends)
}

/// What units are called, by everything that events may name them by: id, code and outside id.
pub(super) async fn units(conn: &Conn, permit: &impl Permit) -> Result<Vec<(String, String)>> {
    // Of a name that was given again, the living one comes last and stays.
    let sql = format!(
        "SELECT name, id, code, external_id FROM org_units WHERE tenant_id = {} \
         ORDER BY CASE WHEN deleted_at IS NULL THEN 1 ELSE 0 END, id",
        conn.dialect().placeholder(1)
    );
    let values = vec![Value::Id(permit.tenant_id())];
    let mut names = Vec::new();
    for row in conn.rows(permit, &Statement::new(sql, values)).await? {
        let name = row.text(0)?.unwrap_or_default();
        let known = [Some(row.required_id(1)?.to_string()), row.text(2)?, row.text(3)?];
        names.extend(known.into_iter().flatten().map(|value| (value, name.clone())));
    }
    Ok(names)
}

/// What people are called, by their ids.
pub(super) async fn people(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<Vec<(String, String)>> {
    let place = |number| conn.dialect().placeholder(number);
    let sql = format!(
        "SELECT id, full_name FROM users WHERE tenant_id = {} AND {}",
        place(1),
        conn.dialect().in_ids("id", &place(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Ids(ids)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    let name = |row: &Row| Ok((row.required_id(0)?.to_string(), row.text(1)?.unwrap_or_default()));
    rows.iter().map(name).collect()
}
