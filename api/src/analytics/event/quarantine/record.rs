//! Declaration of events that were kept apart: read; what changes them are two mutations.

use std::sync::LazyLock;

use entity::quarantined_event::{Column, Entity};

use crate::access::Resource;
use crate::record::declare::{OwnerPath, field};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record, declare};

static STATE: EnumType = EnumType {
    name: "QuarantineState",
    about: "What became of an event that was kept apart.",
    values: &[
        EnumValue::of("waiting", "WAITING", "Waiting", "Aguardando"),
        EnumValue::of("replayed", "REPLAYED", "Replayed", "Reprocessado"),
        EnumValue::of("discarded", "DISCARDED", "Discarded", "Descartado"),
    ],
};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>("QuarantinedEvent", "quarantinedEvent", "quarantinedEvents", Resource::Events)
        .about("An event that was not let in, and why (evento em quarentena).")
        .owned_by(OwnerPath::Nobody)
        .ordered_by("receivedAt", true)
        .field(field(Column::Id, Kind::Id).filter().read_only())
        .field(field(Column::ReceivedAt, Kind::Instant).filter().sort().group().read_only())
        .field(field(Column::UpdatedAt, Kind::Instant).filter().read_only())
        .field(field(Column::State, Kind::Enum(&STATE)).filter().group().read_only())
        .field(field(Column::Reason, Kind::Code).filter().group().read_only().about(
            "malformed, in_future, too_old, too_large, schema, unknown_type, unknown_version: \
                 docs/events.md says what they mean.",
        ))
        .field(
            field(Column::Detail, Kind::Code)
                .read_only()
                .about("What exactly is wrong, without the value."),
        )
        .field(
            field(Column::SourceId, Kind::Code)
                .filter()
                .read_only()
                .about("What its source calls it, where that could be read."),
        )
        .field(field(Column::Module, Kind::Code).filter().group().read_only())
        .field(field(Column::EventType, Kind::Code).filter().group().read_only())
        .field(
            field(Column::Body, Kind::Json)
                .read_only()
                .about("As it came, without personal data; cut where it was too long."),
        )
        .field(
            field(Column::EventId, Kind::Id)
                .filter()
                .read_only()
                .about("The event that it became, or that its source's id stood for already."),
        )
}
