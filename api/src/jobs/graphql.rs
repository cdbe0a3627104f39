//! `jobCancel`.

use async_graphql::{Context, ID, Object, Result};
use serde_json::json;
use uuid::Uuid;

use crate::access::{Action, Resource, RowRule};
use crate::audit::{self, Entry};
use crate::ctx::Ctx;
use crate::error::{Error, say};
use crate::identity::graphql::{in_language, read_id, somebody};
use crate::queue;

#[derive(Default)]
pub struct JobMutation;

#[Object]
impl JobMutation {
    /// Cancels a job that waits or runs; its id. Steps that it has done stay, the one that it is doing
    /// comes to nothing.
    async fn job_cancel(&self, context: &Context<'_>, id: ID) -> Result<ID> {
        let ctx = somebody(context)?;
        let refuse = in_language(&ctx.origin);
        let job = read_id(&id, "id").map_err(&refuse)?;
        cancel(ctx, job).await.map_err(&refuse)?;
        Ok(id)
    }
}

async fn cancel(ctx: &Ctx, id: Uuid) -> crate::error::Result<()> {
    let writer = ctx.writer(Action::Update, Resource::Analytics)?;
    let conn = ctx.transaction().await?;
    let job = match writer.rows() {
        RowRule::All => queue::state_of(&conn, &writer, id).await?,
        // Jobs belong to nobody: they are for whoever reaches all.
        RowRule::Owners(_) | RowRule::Company(_) | RowRule::Either(..) => None,
    };
    let (kind, state) = job.ok_or_else(|| Error::not_found("job"))?;
    if super::WAITED_FOR.contains(&&*kind) && matches!(&*state, "queued" | "running") {
        return Err(Error::conflict(say(
            "metrics wait for this job: it ends when they are deleted",
            "há métricas que esperam por esta tarefa: ela termina quando forem apagadas",
        )));
    }
    if !queue::revoke(&conn, &writer, (id, ctx.now())).await? {
        return Err(Error::conflict(say("this job is over", "esta tarefa já terminou")));
    }
    let entry = Entry {
        action: "job.cancel".to_owned(),
        resource: Resource::Analytics.as_str(),
        resource_id: id,
        old: Some(json!({ "kind": kind, "state": state })),
        new: Some(json!({ "kind": kind, "state": "cancelled" })),
    };
    audit::append(ctx, &conn, &writer, vec![entry]).await?;
    conn.commit().await
}
