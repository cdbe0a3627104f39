//! Mutations of deals beyond the engine's.

use super::{record, service};
use crate::record::change::verb::{Answer, Verb, id, optional_int, optional_text};

pub(super) static VERBS: [Verb; 2] = [
    Verb {
        name: "dealMoveStage",
        about: "Moves a deal to a stage. Stages that win or lose close it; any other opens it again.",
        arguments: &[
            ("id", "ID!", ""),
            ("stageId", "ID!", ""),
            ("lostReason", "String", "Needed when the stage loses the deal."),
            ("expectedVersion", "Int", "CONFLICT when the deal has another version."),
        ],
        inputs: &[],
        answer: record::record,
        run: |session, selected| {
            Box::pin(async move {
                let deal_id = id(selected, "id")?;
                let to = service::Move {
                    stage_id: id(selected, "stageId")?,
                    lost_reason: optional_text(selected, "lostReason")?,
                    expected_version: optional_int(selected, "expectedVersion")?,
                };
                service::move_stage(session, deal_id, to).await?;
                Ok(Answer::Record(deal_id))
            })
        },
    },
    Verb {
        name: "dealAssign",
        about: "Gives a deal to somebody.",
        arguments: &[("id", "ID!", ""), ("ownerId", "ID!", "")],
        inputs: &[],
        answer: record::record,
        run: |session, selected| {
            Box::pin(async move {
                let deal_id = id(selected, "id")?;
                service::assign(session, deal_id, id(selected, "ownerId")?).await?;
                Ok(Answer::Record(deal_id))
            })
        },
    },
];
