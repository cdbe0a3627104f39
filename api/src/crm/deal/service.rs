//! What one does with deals beyond writing their fields.

use entity::pipeline_stage;
use uuid::Uuid;

use super::{record, store};
use crate::access::{Action, Resource};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::record::change::{Session, Values};

/// Where a deal is to go.
pub struct Move {
    pub stage_id: Uuid,
    /// Needed when the stage loses the deal.
    pub lost_reason: Option<String>,
    pub expected_version: Option<i64>,
}

/// Moves a deal to a stage. A stage that wins or loses closes the deal today; any other stage opens
/// it again. A deal that is there already stays as it is.
pub async fn move_stage(session: &mut Session<'_>, id: Uuid, to: Move) -> Result<()> {
    let deal = record::record();
    let old = session.lock(deal, Action::Update, id, to.expected_version).await?;
    if old.get("stage_id") == Some(&Value::Id(to.stage_id)) {
        return Ok(());
    }
    let mut values = Values::from([("stage_id", Value::Id(to.stage_id))]);
    if let Some(reason) = to.lost_reason {
        values.insert("lost_reason", Value::Text(reason));
    }
    session.update(deal, id, values, None).await
}

/// The stages of the pipeline by what they do to a deal.
pub struct Stages {
    /// In their order.
    pub open: Vec<Uuid>,
    pub won: Option<Uuid>,
    pub lost: Option<Uuid>,
}

pub async fn stages(session: &Session<'_>) -> Result<Stages> {
    let reader = session.ctx().reader(Resource::PipelineStages)?;
    let all = store::stages(session.conn(), &reader).await?;
    let first = |wanted: fn(&pipeline_stage::Model) -> bool| {
        all.iter().find(|stage| wanted(stage)).map(|stage| stage.id)
    };
    let (won, lost) = (first(|stage| stage.is_won), first(|stage| stage.is_lost));
    let open = all.iter().filter(|stage| !stage.is_won && !stage.is_lost);
    let open: Vec<Uuid> = open.map(|stage| stage.id).collect();
    if open.is_empty() { Err(no_open_stage()) } else { Ok(Stages { open, won, lost }) }
}

/// The stage that a new deal begins in: the first that neither wins nor loses.
pub async fn first_stage(session: &Session<'_>) -> Result<Uuid> {
    let reader = session.ctx().reader(Resource::PipelineStages)?;
    let stage = store::first_open_stage(session.conn(), &reader).await?;
    stage.map(|stage| stage.id).ok_or_else(no_open_stage)
}

fn no_open_stage() -> Error {
    Error::conflict(say("the pipeline has no open stage", "o funil não tem etapa aberta"))
}

/// Gives a deal to somebody.
pub async fn assign(session: &mut Session<'_>, id: Uuid, owner_id: Uuid) -> Result<()> {
    let values = Values::from([("owned_by", Value::Id(owner_id))]);
    session.update(record::record(), id, values, None).await
}
