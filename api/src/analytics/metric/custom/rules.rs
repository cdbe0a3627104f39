//! What holds for every custom metric, however it is written.

use std::future::Future;
use std::pin::Pin;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::definition::Definition;
use super::store;
use crate::access::{Permit, Resource};
use crate::analytics::metric::{Catalogue, catalogue};
use crate::analytics::rollup;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::limits;
use crate::queue::{self, Queued};
use crate::record::change::{RowChange, Session};

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Before metrics are written: refuses what is none, and a name that is taken. A new metric waits until
/// its history is counted.
pub(super) fn check<'a>(ctx: &'a Ctx, conn: &'a Conn, changes: &'a mut [RowChange]) -> Boxed<'a> {
    Box::pin(async move {
        if changes.iter().all(|change| change.old.is_some()) {
            return Ok(());
        }
        let reader = ctx.reader(Resource::Analytics)?;
        let known = store::definitions(conn, &reader).await?;
        let mut count = known.len();
        let mut catalogue = resolved(&known);
        for change in changes.iter_mut().filter(|change| change.old.is_none()) {
            let definition = definition_of(change);
            let metric = definition.metric(&catalogue)?;
            if catalogue::is_common(&metric.name) {
                return Err(taken(&metric.name));
            }
            count += 1;
            if count > limits::CUSTOM_METRICS_MAX {
                return Err(too_many());
            }
            change.new.insert("state", store::first_state(&definition).into());
            catalogue.add(metric.into());
        }
        Ok(())
    })
}

/// After metrics are written: a job is queued that counts the history of those that are new or came
/// back, from the beginning. What is kept of those that went is forgotten, unless a ratio is made of
/// them.
pub(super) fn count_or_forget<'a>(
    session: &'a mut Session<'_>,
    changes: &'a [RowChange],
) -> Boxed<'a> {
    Box::pin(async move {
        let (conn, permit) = (session.conn(), session.cause()?);
        let come = |change: &&RowChange| change.old.is_none() || comes_back(change);
        let come: Vec<&RowChange> = changes.iter().filter(come).collect();
        let gone: Vec<&RowChange> = changes.iter().filter(|change| goes(change)).collect();
        if come.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let left = store::definitions(conn, &permit).await?;
        let back = come.iter().filter(|change| change.old.is_some()).map(|change| change.id);
        check_again(&left, &back.collect::<Vec<_>>())?;
        count(session, &permit, &come).await?;
        if gone.is_empty() {
            return Ok(());
        }
        let conn = session.conn();
        store::leave(conn, &permit, gone.iter().map(|change| change.id).collect()).await?;
        for name in gone.iter().map(|change| definition_of(change).name) {
            if let Some((ratio, _)) = left.iter().find(|(each, _)| each.is_ratio_of(&name)) {
                return Err(needed(&name, &ratio.name));
            }
        }
        let keys = gone.iter().map(|change| change.id.to_string()).collect();
        rollup::forget(conn, &permit, keys, session.ctx().now()).await
    })
}

/// Queues the job that counts the history of metrics.
async fn count(session: &Session<'_>, permit: &impl Permit, metrics: &[&RowChange]) -> Result<()> {
    let definitions = metrics.iter().map(|change| definition_of(change));
    let definitions: Vec<Definition> = definitions.filter(store::has_history).collect();
    if definitions.is_empty() {
        return Ok(());
    }
    let (ctx, conn) = (session.ctx(), session.conn());
    queue::bound(conn, permit).await?;
    let names: Vec<&str> = definitions.iter().map(|definition| &*definition.name).collect();
    let job = Queued {
        kind: rollup::job::BACKFILL,
        arguments: json!({ "metrics": names }),
        off_hours: false,
        attempts_max: queue::ATTEMPTS_WITHOUT_END,
        requested_by: Some(ctx.actor.user_id),
    };
    let job_id = queue::append(conn, permit, &ctx.app.clock, job).await?;
    let ids = definitions.iter().map(|definition| definition.id).collect();
    store::count_by(conn, permit, (ids, job_id)).await
}

/// All that are right; a ratio comes after its parts.
fn resolved(definitions: &[(Definition, bool)]) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for (definition, _) in definitions {
        if let Ok(metric) = definition.metric(&catalogue) {
            catalogue.add(metric.into());
        }
    }
    catalogue
}

/// While they were away a part of theirs may have gone, and others come.
fn check_again(definitions: &[(Definition, bool)], back: &[Uuid]) -> Result<()> {
    if definitions.len() > limits::CUSTOM_METRICS_MAX {
        return Err(too_many());
    }
    let catalogue = resolved(definitions);
    let mut again = definitions.iter().filter(|(definition, _)| back.contains(&definition.id));
    again.try_for_each(|(definition, _)| definition.metric(&catalogue).map(drop))
}

/// Whether the row stops to be a metric.
fn goes(change: &RowChange) -> bool {
    change.is_removal() || (change.changes("deleted_at") && !is_null(change.after("deleted_at")))
}

/// Whether the row is one again.
fn comes_back(change: &RowChange) -> bool {
    let was = change.old.as_ref().is_some_and(|old| !is_null(old.get("deleted_at")));
    was && !change.is_removal() && is_null(change.after("deleted_at"))
}

fn is_null(value: Option<&Value>) -> bool {
    matches!(value, None | Some(Value::Null(_)))
}

fn definition_of(change: &RowChange) -> Definition {
    let text = |column| match change.after(column) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let json = |column| match change.after(column) {
        Some(Value::Json(json)) => json.clone(),
        _ => Json::Null,
    };
    let int = |column| match change.after(column) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    };
    Definition {
        id: change.id,
        name: text("name").unwrap_or_default(),
        label: text("label").unwrap_or_default(),
        unit: text("unit").unwrap_or_default(),
        scope: text("scope").unwrap_or_default(),
        aggregation: text("aggregation").unwrap_or_default(),
        sources: json("sources"),
        value_field: text("value_field"),
        scale: int("scale"),
        dimensions: json("dimensions"),
        numerator: text("numerator"),
        denominator: text("denominator"),
        times: int("times"),
    }
}

fn taken(name: &str) -> Error {
    let message = say(
        format!("every tenant has a metric {name:?}: choose another name"),
        format!("toda conta tem uma métrica {name:?}: escolha outro nome"),
    );
    Error::Conflict { message, field: Some("name".into()), current: None }
}

fn needed(name: &str, ratio: &str) -> Error {
    Error::conflict(say(
        format!("{ratio} is made of {name}: delete that one first"),
        format!("{ratio} é feita de {name}: apague aquela antes"),
    ))
}

fn too_many() -> Error {
    let max = limits::CUSTOM_METRICS_MAX;
    Error::limit(say(
        format!("a tenant has {max} metrics of its own at most"),
        format!("uma conta tem no máximo {max} métricas próprias"),
    ))
}
