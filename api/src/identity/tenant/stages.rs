//! The pipeline that every tenant begins with: document 2's seven stages.

use chrono::{DateTime, Utc};
use entity::pipeline_stage;
use entity::value::fold;
use uuid::Uuid;

use crate::clock::Clock;

struct Stage {
    name: &'static str,
    slug: &'static str,
    color: &'static str,
    probability: i32,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Open,
    Won,
    Lost,
}

const fn open(
    name: &'static str,
    slug: &'static str,
    color: &'static str,
    probability: i32,
) -> Stage {
    Stage { name, slug, color, probability, outcome: Outcome::Open }
}

const STAGES: [Stage; 7] = [
    open("Prospecção", "prospeccao", "#6B7280", 10),
    open("Qualificação", "qualificacao", "#3B82F6", 20),
    open("Proposta", "proposta", "#8B5CF6", 50),
    open("Negociação", "negociacao", "#F59E0B", 70),
    open("Fechamento", "fechamento", "#F97316", 90),
    Stage {
        name: "Ganho",
        slug: "ganho",
        color: "#10B981",
        probability: 100,
        outcome: Outcome::Won,
    },
    Stage {
        name: "Perdido",
        slug: "perdido",
        color: "#EF4444",
        probability: 0,
        outcome: Outcome::Lost,
    },
];

pub(super) fn rows(
    clock: &Clock,
    tenant_id: Uuid,
    now: DateTime<Utc>,
) -> Vec<pipeline_stage::Model> {
    STAGES
        .iter()
        .zip(1..)
        .map(|(stage, sort_order)| pipeline_stage::Model {
            tenant_id,
            id: clock.new_id(),
            name: stage.name.to_owned(),
            name_folded: fold(stage.name),
            slug: stage.slug.to_owned(),
            description: None,
            color: stage.color.to_owned(),
            sort_order,
            is_won: stage.outcome == Outcome::Won,
            is_lost: stage.outcome == Outcome::Lost,
            probability: stage.probability,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            created_by: None,
            version: 1,
        })
        .collect()
}
