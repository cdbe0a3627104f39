//! When a lead was first and last talked with follows from its interactions. A note is nobody's
//! talk. What somebody wrote on the lead itself stays while no interaction goes beyond it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::store;
use crate::access::Resource;
use crate::crm::lead;
use crate::db::{NullOf, Value};
use crate::error::Result;
use crate::record::change::{RowChange, Session, Values};

/// Contacts of one lead that came and went.
#[derive(Default)]
struct Contacts {
    came: Vec<DateTime<Utc>>,
    went: Vec<DateTime<Utc>>,
}

/// After interactions are written: the first and last contact of their leads.
pub(super) fn date_leads<'a>(
    session: &'a mut Session<'_>,
    changes: &'a [RowChange],
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
    Box::pin(async move {
        let contacts = contacts_of(changes);
        if contacts.is_empty() {
            return Ok(());
        }
        let reader = session.ctx().reader(Resource::LeadInteractions)?;
        let ids = contacts.keys().copied().collect();
        let leads = store::lock_leads(session.conn(), &reader, ids).await?;
        let lost = |lead: &&store::Contacted| {
            contacts.get(&lead.id).is_some_and(|contacts| {
                let ends = [lead.first, lead.last];
                contacts.went.iter().any(|at| ends.contains(&Some(*at)))
            })
        };
        let lost: Vec<Uuid> = leads.iter().filter(lost).map(|lead| lead.id).collect();
        let left = match lost.is_empty() {
            true => BTreeMap::new(),
            false => store::ends(session.conn(), &reader, lost).await?,
        };
        let rows = leads.iter().filter_map(|lead| {
            let contacts = contacts.get(&lead.id)?;
            let (first, last) = moved(lead, contacts, left.get(&lead.id).copied());
            Some((lead.id, dates(lead.first, lead.last), dates(first, last)))
        });
        let rows = rows.collect();
        session.derive(lead::record::record(), rows).await
    })
}

fn contacts_of(changes: &[RowChange]) -> BTreeMap<Uuid, Contacts> {
    let mut leads: BTreeMap<Uuid, Contacts> = BTreeMap::new();
    for change in changes {
        let before = change.old.as_ref().and_then(|old| contact(|column| old.get(column)));
        let after = if change.is_removal() { None } else { contact(|column| change.after(column)) };
        if before == after {
            continue;
        }
        if let Some((lead, at)) = before {
            leads.entry(lead).or_default().went.push(at);
        }
        if let Some((lead, at)) = after {
            leads.entry(lead).or_default().came.push(at);
        }
    }
    leads
}

/// Whose contact an interaction is, and when it was; nothing when it is deleted or a note.
fn contact<'v>(value: impl Fn(&str) -> Option<&'v Value>) -> Option<(Uuid, DateTime<Utc>)> {
    let is_note = value("interaction_type") == Some(&Value::from("note"));
    let is_deleted = value("deleted_at").is_some_and(|at| !at.is_null());
    match (value("lead_id"), value("created_at")) {
        (Some(Value::Id(lead)), Some(Value::Instant(at))) if !is_note && !is_deleted => {
            Some((*lead, *at))
        }
        _ => None,
    }
}

/// The first and last contact of a lead; `left` are those of its living interactions, read where an
/// end was among those that went.
fn moved(
    lead: &store::Contacted,
    contacts: &Contacts,
    left: Option<(DateTime<Utc>, DateTime<Utc>)>,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let stays = |end: &DateTime<Utc>| !contacts.went.contains(end);
    let came = || contacts.came.iter().copied();
    let first = lead.first.filter(stays).into_iter().chain(came());
    let last = lead.last.filter(stays).into_iter().chain(came());
    let (first_left, last_left) = match left {
        Some((first, last)) => (
            Some(first).filter(|_| lead.first.is_some_and(|end| !stays(&end))),
            Some(last).filter(|_| lead.last.is_some_and(|end| !stays(&end))),
        ),
        None => (None, None),
    };
    (first.chain(first_left).min(), last.chain(last_left).max())
}

fn dates(first: Option<DateTime<Utc>>, last: Option<DateTime<Utc>>) -> Values {
    let value = |at: Option<DateTime<Utc>>| at.map_or(Value::Null(NullOf::Instant), Value::Instant);
    Values::from([("first_contact_at", value(first)), ("last_contact_at", value(last))])
}
