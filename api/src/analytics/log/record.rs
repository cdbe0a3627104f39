//! Declaration of `analyticsEvents`.

use std::sync::LazyLock;

use entity::event::{Column, Entity};

use super::shown;
use crate::access::Resource;
use crate::record::declare::{Computed, OwnerPath, field};
use crate::record::{Kind, Record, declare};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| with_fate(declaration()));
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>("AnalyticsEvent", "analyticsEvent", "analyticsEvents", Resource::Events)
        .about("Something that happened (evento), in the CRM or elsewhere. Events never change.")
        .owned_by(OwnerPath::Column("actor_id"))
        .ordered_by("occurredAt", true)
        .field(field(Column::Id, Kind::Id).filter().read_only())
        .field(
            field(Column::OccurredAt, Kind::Instant)
                .filter()
                .sort()
                .group()
                .read_only()
                .about("When it happened where it happened."),
        )
        .field(field(Column::ReceivedAt, Kind::Instant).read_only())
        .field(
            field(Column::Module, Kind::Code)
                .filter()
                .group()
                .read_only()
                .about("tickets, messaging, growth, …"),
        )
        .field(
            field(Column::EventType, Kind::Code)
                .filter()
                .group()
                .read_only()
                .about("ticket.created, lead.updated, …"),
        )
        .field(field(Column::SchemaVersion, Kind::Int).filter().read_only())
        .field(
            field(Column::ActorId, Kind::Id)
                .filter()
                .read_only()
                .about("Who did it, of what happened in the CRM."),
        )
        .field(
            field(Column::Resource, Kind::Code)
                .filter()
                .read_only()
                .about("The kind of record that it happened to, as permissions name it."),
        )
        .field(field(Column::ResourceId, Kind::Id).filter().read_only())
        .field(
            field(Column::BatchId, Kind::Id)
                .filter()
                .read_only()
                .about("Of the events that were written, and are processed, together."),
        )
        .field(
            field(Column::Dimensions, Kind::Json)
                .filter()
                .read_only()
                .about("What numbers are divided by."),
        )
}

/// What an event says, and what became of it.
fn with_fate(record: Record) -> Record {
    record
        .computed(Computed {
            name: "payload",
            about: "What it says; of a record, what the caller may read of all its rows.",
            graphql_type: "JSON",
            needs: &["id", "resource"],
            resolve: shown::payload,
        })
        .computed(Computed {
            name: "sourceId",
            about: "What its source calls it; null for what happened in the CRM.",
            graphql_type: "String",
            needs: &["id"],
            resolve: shown::source_id,
        })
        .computed(Computed {
            name: "status",
            about: "queued, processed, failed or discarded.",
            graphql_type: "String!",
            needs: &["id", "batch_id"],
            resolve: shown::status,
        })
        .computed(Computed {
            name: "error",
            about: "Why it could not be processed.",
            graphql_type: "String",
            needs: &["id", "batch_id"],
            resolve: shown::error,
        })
        .computed(Computed {
            name: "attempts",
            about: "How often its batch was tried.",
            graphql_type: "Int!",
            needs: &["id", "batch_id"],
            resolve: shown::attempts,
        })
        .computed(Computed {
            name: "processingMs",
            about: "Milliseconds that it took to process it, together with its batch.",
            graphql_type: "Int",
            needs: &["id", "batch_id"],
            resolve: shown::processing_ms,
        })
}
