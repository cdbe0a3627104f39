//! Declaration of jobs: read; mutations of the rooms queue them, and `jobCancel` ends them.

use std::sync::LazyLock;

use entity::job::{Column, Entity};

use crate::access::Resource;
use crate::identity::user;
use crate::record::declare::{OwnerPath, field};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record, declare};

static STATE: EnumType = EnumType {
    name: "JobState",
    about: "How far a job is.",
    values: &[
        EnumValue::of("queued", "QUEUED", "Waiting", "Aguardando"),
        EnumValue::of("running", "RUNNING", "Running", "Em execução"),
        EnumValue::of("done", "DONE", "Done", "Concluída"),
        EnumValue::of("failed", "FAILED", "Failed", "Falhou"),
        EnumValue::of("cancelled", "CANCELLED", "Cancelled", "Cancelada"),
    ],
};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>("Job", "job", "jobs", Resource::Analytics)
        .about("Work that is done later, and what became of it (tarefa).")
        .owned_by(OwnerPath::Nobody)
        .ordered_by("createdAt", true)
        .field(field(Column::Id, Kind::Id).filter().read_only())
        .field(
            field(Column::Kind, Kind::Code)
                .filter()
                .group()
                .read_only()
                .about("snapshot_recalc, rebuild or snapshot_verify: docs/analytics.md says more."),
        )
        .field(field(Column::State, Kind::Enum(&STATE)).filter().group().read_only())
        .field(
            field(Column::Arguments, Kind::Json)
                .read_only()
                .about("What it was asked to do it with."),
        )
        .field(
            field(Column::OffHours, Kind::Bool)
                .read_only()
                .about("Whether it works between 22:00 and 06:00 of the tenant's zone only."),
        )
        .field(field(Column::Done, Kind::Int).read_only().about("How much of `total` is done."))
        .field(
            field(Column::Total, Kind::Int)
                .read_only()
                .about("Days, where it goes through days; null before its first step."),
        )
        .field(field(Column::Result, Kind::Json).read_only().about("What came of it."))
        .field(
            field(Column::Error, Kind::Code)
                .read_only()
                .about("Why its last step failed; null once it got further."),
        )
        .field(
            field(Column::Attempts, Kind::Int)
                .read_only()
                .about("Tries since it last got further."),
        )
        .field(field(Column::AttemptsMax, Kind::Int).read_only())
        .field(field(Column::DueAt, Kind::Instant).read_only())
        .field(field(Column::RequestedBy, Kind::Id).filter().read_only())
        .one("requester", Column::RequestedBy, user::record::record, "Who asked for it.")
        .field(field(Column::CreatedAt, Kind::Instant).filter().sort().group().read_only())
        .field(field(Column::StartedAt, Kind::Instant).read_only())
        .field(field(Column::FinishedAt, Kind::Instant).read_only())
}
