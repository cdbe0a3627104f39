//! SQL of interactions beyond the engine: the first and last contact of leads.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::access::Permit;
use crate::db::{Conn, NullOf, Row, Value};
use crate::error::Result;
use crate::record::sql::for_tenant;

/// When a lead was contacted, as it stands on the lead.
pub(super) struct Contacted {
    pub(super) id: Uuid,
    pub(super) first: Option<DateTime<Utc>>,
    pub(super) last: Option<DateTime<Utc>>,
}

/// Locks leads, deleted ones too, in the order of their ids.
pub(super) async fn lock_leads(
    conn: &Conn,
    permit: &impl Permit,
    ids: Vec<Uuid>,
) -> Result<Vec<Contacted>> {
    let mut sql = for_tenant(conn.dialect(), permit.tenant_id());
    let tenant = sql.tenant_is("t0");
    let list = sql.bind(Value::Ids(ids));
    let inside = sql.dialect.in_ids("t0.id", &list);
    let lock = sql.dialect.for_update();
    sql.push(&format!(
        "SELECT t0.id, t0.first_contact_at, t0.last_contact_at FROM leads t0 \
         WHERE {tenant} AND {inside} ORDER BY t0.id{lock}"
    ));
    let rows = conn.rows(permit, &sql.finish()).await?;
    rows.iter()
        .map(|row| {
            let (first, last) = (instant(row, 1)?, instant(row, 2)?);
            Ok(Contacted { id: row.required_id(0)?, first, last })
        })
        .collect()
}

/// The first and last contact among the living interactions of leads; leads without any are absent.
pub(super) async fn ends(
    conn: &Conn,
    permit: &impl Permit,
    leads: Vec<Uuid>,
) -> Result<BTreeMap<Uuid, (DateTime<Utc>, DateTime<Utc>)>> {
    let mut sql = for_tenant(conn.dialect(), permit.tenant_id());
    let tenant = sql.tenant_is("t0");
    let list = sql.bind(Value::Ids(leads));
    let inside = sql.dialect.in_ids("t0.lead_id", &list);
    sql.push(&format!(
        "SELECT t0.lead_id, min(t0.created_at), max(t0.created_at) FROM lead_interactions t0 \
         WHERE {tenant} AND {inside} AND t0.deleted_at IS NULL \
         AND t0.interaction_type <> 'note' GROUP BY t0.lead_id"
    ));
    let mut ends = BTreeMap::new();
    for row in conn.rows(permit, &sql.finish()).await? {
        if let (Some(first), Some(last)) = (instant(&row, 1)?, instant(&row, 2)?) {
            ends.insert(row.required_id(0)?, (first, last));
        }
    }
    Ok(ends)
}

fn instant(row: &Row, index: usize) -> Result<Option<DateTime<Utc>>> {
    let value = row.value(index, NullOf::Instant)?;
    Ok(if let Value::Instant(at) = value { Some(at) } else { None })
}
