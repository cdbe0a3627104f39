//! Who is told of what in the CRM: whoever is given a lead or a deal by somebody else, and, of a deal
//! that is won or lost, its owner and the owner's manager, unless they did it themselves. Nobody is
//! told of a row that their roles do not let them read, and nobody of what an import brings.

use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;

use crate::access::Resource;
use crate::db::Value;
use crate::error::Result;
use crate::identity::notification::audience;
use crate::notice::{Kind, Notice};
use crate::record::change::{RowChange, Session};

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Something that happened to a row.
struct News {
    kind: Kind,
    record_id: Uuid,
    owner: Uuid,
    company: Option<Uuid>,
}

/// After leads are written.
pub fn tell_of_leads<'a>(session: &'a mut Session<'_>, changes: &'a [RowChange]) -> Boxed<'a> {
    Box::pin(async move {
        let given = changes.iter().filter_map(|change| given(change, "assigned_to"));
        let news = given.map(|(record_id, owner, company)| News {
            kind: Kind::LeadAssigned,
            record_id,
            owner,
            company,
        });
        tell(session, Resource::Leads, news.collect()).await
    })
}

/// After deals are written.
pub fn tell_of_deals<'a>(session: &'a mut Session<'_>, changes: &'a [RowChange]) -> Boxed<'a> {
    Box::pin(async move {
        let given = changes.iter().filter_map(|change| given(change, "owned_by"));
        let given = given.map(|(record_id, owner, company)| News {
            kind: Kind::DealAssigned,
            record_id,
            owner,
            company,
        });
        let news = given.chain(changes.iter().filter_map(decided)).collect();
        tell(session, Resource::Deals, news).await
    })
}

/// A row that has come to somebody: its id, theirs, and the company's.
fn given(change: &RowChange, column: &str) -> Option<(Uuid, Uuid, Option<Uuid>)> {
    if change.imported || change.is_removal() || !change.changes(column) {
        return None;
    }
    let owner = id_of(change.after(column))?;
    Some((change.id, owner, id_of(change.after("company_id"))))
}

/// A deal that was won or lost.
fn decided(change: &RowChange) -> Option<News> {
    if change.imported || change.is_removal() || !change.changes("status") {
        return None;
    }
    let Some(Value::Text(status)) = change.after("status") else { return None };
    let kind = match status.as_str() {
        "won" => Kind::DealWon,
        "lost" => Kind::DealLost,
        _ => return None,
    };
    let owner = id_of(change.after("owned_by"))?;
    Some(News { kind, record_id: change.id, owner, company: id_of(change.after("company_id")) })
}

async fn tell(session: &mut Session<'_>, resource: Resource, mut news: Vec<News>) -> Result<()> {
    let (ctx, conn) = (session.ctx(), session.conn());
    let actor_id = ctx.actor.user_id;
    // Who takes something for themselves knows; of an outcome others may want to hear.
    news.retain(|news| is_outcome(news.kind) || news.owner != actor_id);
    if news.is_empty() {
        return Ok(());
    }
    let owners = news.iter().map(|news| news.owner).collect();
    let mut people = audience::people(conn, ctx.tenant_id(), owners).await?;
    let is_heard = |news: &&News| is_outcome(news.kind);
    let managers: Vec<Uuid> = news
        .iter()
        .filter(is_heard)
        .filter_map(|news| people.get(&news.owner)?.manager_id)
        .filter(|manager| !people.contains_key(manager))
        .collect();
    people.extend(audience::people(conn, ctx.tenant_id(), managers).await?);
    for news in news {
        let manager = people.get(&news.owner).and_then(|owner| owner.manager_id);
        let manager = manager.filter(|_| is_outcome(news.kind));
        for user_id in [Some(news.owner), manager].into_iter().flatten() {
            let Some(person) = people.get(&user_id) else { continue };
            if user_id != actor_id
                && person.may_read(conn, resource, (news.owner, news.company)).await?
            {
                session.notify(Notice {
                    user_id,
                    kind: news.kind,
                    actor_id: Some(actor_id),
                    resource,
                    record_id: news.record_id,
                });
            }
        }
    }
    Ok(())
}

fn is_outcome(kind: Kind) -> bool {
    matches!(kind, Kind::DealWon | Kind::DealLost)
}

fn id_of(value: Option<&Value>) -> Option<Uuid> {
    match value {
        Some(Value::Id(id)) => Some(*id),
        _ => None,
    }
}
