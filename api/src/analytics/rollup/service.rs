//! Asking for a recount or a comparison: by whom, of what, and when.

use serde_json::json;
use uuid::Uuid;

use super::job::Arguments;
use crate::access::{Action, Resource};
use crate::analytics::metric::custom;
use crate::audit::{self, Entry};
use crate::ctx::Ctx;
use crate::error::{Error, Result, say};
use crate::queue::{self, Queued};

/// Queues a job of this folder; its id.
///
/// # Errors
///
/// `FORBIDDEN` without the right to update all of analytics, `INVALID` for a span of time that ends
/// before it begins, `NOT_FOUND` for a metric or a scope that is not there, `LIMIT_EXCEEDED` where too many jobs
/// wait.
pub(super) async fn ask_for(
    ctx: &Ctx,
    kind: &'static str,
    (mut asked, off_hours): (Arguments, bool),
) -> Result<Uuid> {
    let writer = ctx.whole_writer(Action::Update, Resource::Analytics)?;
    check(&asked)?;
    let conn = ctx.transaction().await?;
    let catalogue = custom::catalogue_of(&conn, &writer).await?;
    if let Some(names) = &asked.metrics
        && names.iter().any(|name| catalogue.find(name).is_none())
    {
        return Err(Error::not_found("metric"));
    }
    if let Some(scope) = &asked.scope {
        let named = catalogue.iter().filter(|metric| metric.scope == *scope);
        let names: Vec<String> = named.map(|metric| metric.name.clone()).collect();
        if names.is_empty() {
            return Err(Error::not_found("scope"));
        }
        asked.metrics = Some(names);
    }
    queue::bound(&conn, &writer).await?;
    let arguments = serde_json::to_value(&asked).map_err(Error::internal)?;
    let queued = Queued {
        kind,
        arguments: arguments.clone(),
        off_hours,
        attempts_max: queue::ATTEMPTS_MAX,
        requested_by: Some(ctx.actor.user_id),
    };
    let id = queue::append(&conn, &writer, &ctx.app.clock, queued).await?;
    let entry = Entry {
        action: "job.create".to_owned(),
        resource: Resource::Analytics.as_str(),
        resource_id: id,
        old: None,
        new: Some(json!({ "kind": kind, "arguments": arguments, "offHours": off_hours })),
    };
    audit::append(ctx, &conn, &writer, vec![entry]).await?;
    conn.commit().await?;
    Ok(id)
}

fn check(asked: &Arguments) -> Result<()> {
    if asked.scope.is_some() && asked.metrics.is_some() {
        let message = say("give metrics or a scope", "informe metrics ou scope");
        return Err(Error::invalid_field("scope", message));
    }
    match (asked.from, asked.to) {
        (Some(from), Some(to)) if from >= to => Err(Error::invalid_field(
            "to",
            say("ends before it begins", "termina antes de começar"),
        )),
        (Some(_), None) | (None, Some(_)) => Err(Error::invalid_field(
            "to",
            say("give both from and to, or neither", "informe from e to, ou nenhum"),
        )),
        (Some(_), Some(_)) | (None, None) => Ok(()),
    }
}
