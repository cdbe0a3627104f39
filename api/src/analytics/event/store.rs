//! Rows of `event_ids` and `quarantined_events`.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::Refused;
use crate::access::Permit;
use crate::clock::{Clock, id_of};
use crate::db::{Conn, List, Lists, Statement, Value};
use crate::error::Result;

/// Takes the ids that sources gave their events; those of `ids` that were free. In the order of the
/// sources' ids, so that two who bring the same events never wait for each other in a circle.
pub(super) async fn claim(
    conn: &Conn,
    permit: &impl Permit,
    mut ids: Vec<(String, Uuid)>,
) -> Result<HashSet<Uuid>> {
    ids.sort_unstable();
    let (sources, events): (Vec<String>, Vec<Uuid>) = ids.into_iter().unzip();
    let lists = Lists {
        table: "event_ids",
        columns: vec![
            ("tenant_id", List::Same(Value::Id(permit.tenant_id()))),
            ("id", List::Texts(sources)),
            ("event_id", List::Ids(events)),
        ],
        then: "ON CONFLICT DO NOTHING RETURNING event_id",
    };
    let rows = conn.insert_lists(permit, lists).await?;
    rows.iter().map(|row| row.required_id(0)).collect()
}

/// The events that sources' ids stand for.
pub(super) async fn known(
    conn: &Conn,
    permit: &impl Permit,
    sources: Vec<String>,
) -> Result<HashMap<String, Uuid>> {
    let dialect = conn.dialect();
    let sql = format!(
        "SELECT id, event_id FROM event_ids WHERE tenant_id = {} AND {}",
        dialect.placeholder(1),
        dialect.in_list("id", &dialect.placeholder(2))
    );
    let values = vec![Value::Id(permit.tenant_id()), Value::Texts(sources)];
    let rows = conn.rows(permit, &Statement::new(sql, values)).await?;
    rows.iter().map(|row| Ok((row.text(0)?.unwrap_or_default(), row.required_id(1)?))).collect()
}

/// Keeps events apart. One that comes again as it was is there already.
pub(super) async fn quarantine(
    conn: &Conn,
    permit: &impl Permit,
    clock: &Clock,
    refused: Vec<Refused>,
) -> Result<()> {
    let now = clock.now();
    let bodies: Vec<String> = refused.iter().map(|each| each.body.to_string()).collect();
    let ids = refused.iter().zip(&bodies).map(|(each, body)| row_id(each, body)).collect();
    let texts = |of: fn(&Refused) -> Option<String>| refused.iter().map(of).collect();
    let lists = Lists {
        table: "quarantined_events",
        columns: vec![
            ("tenant_id", List::Same(Value::Id(permit.tenant_id()))),
            ("id", List::Ids(ids)),
            ("source_id", List::OptionalTexts(texts(|each| each.id.clone()))),
            ("module", List::OptionalTexts(texts(|each| each.module.clone()))),
            ("event_type", List::OptionalTexts(texts(|each| each.event_type.clone()))),
            (
                "reason",
                List::Texts(refused.iter().map(|each| each.reason.as_str().to_owned()).collect()),
            ),
            ("detail", List::Texts(refused.iter().map(|each| each.detail.clone()).collect())),
            ("body", List::Jsons(refused.iter().map(|each| each.body.clone()).collect())),
            ("state", List::Same("waiting".into())),
            ("received_at", List::Same(Value::Instant(now))),
            ("updated_at", List::Same(Value::Instant(now))),
        ],
        then: "ON CONFLICT DO NOTHING",
    };
    conn.insert_lists(permit, lists).await.map(drop)
}

/// Names what came and what is wrong with it.
fn row_id(refused: &Refused, body: &str) -> Uuid {
    id_of(&[refused.reason.as_str().as_bytes(), body.as_bytes()])
}
