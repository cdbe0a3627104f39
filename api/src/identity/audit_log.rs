//! Declaration of the audit trail's entries: read, never changed. What seals them is
//! [`crate::audit`].

use std::sync::LazyLock;

use entity::audit_log::{Column, Entity};

use crate::access::Resource;
use crate::audit::values;
use crate::identity::user;
use crate::record::declare::{Computed, OwnerPath, field};
use crate::record::{Kind, Record, declare};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>("AuditLog", "auditLog", "auditLogs", Resource::AuditLogs)
        .about("What somebody did to a record (trilha de auditoria). Sealed into a hash chain.")
        .owned_by(OwnerPath::Column("user_id"))
        .field(field(Column::Id, Kind::Id).filter().read_only())
        .field(field(Column::CreatedAt, Kind::Instant).filter().sort().group().read_only())
        .field(
            field(Column::Action, Kind::Code)
                .filter()
                .group()
                .read_only()
                .about("Noun and verb, as in lead.update."),
        )
        .field(
            field(Column::ResourceType, Kind::Code)
                .named("resource")
                .filter()
                .group()
                .read_only()
                .about("The kind of record, as permissions name it: leads."),
        )
        .field(field(Column::ResourceId, Kind::Id).filter().read_only())
        .field(
            field(Column::UserId, Kind::Id)
                .filter()
                .group()
                .read_only()
                .about("Null for work of the operator and of the server itself."),
        )
        .field(field(Column::ApiKeyId, Kind::Id).filter().group().read_only())
        .field(field(Column::IpAddress, Kind::Code).filter().read_only())
        .field(field(Column::UserAgent, Kind::Text).read_only())
        .field(field(Column::RequestId, Kind::Code).filter().read_only())
        .field(
            field(Column::ChainSeq, Kind::Int)
                .range(1, i64::MAX / 2)
                .filter()
                .read_only()
                .about("The place in the chain; null until the entry is sealed, within a second."),
        )
        .field(field(Column::ChainHash, Kind::Code).read_only())
        .computed(Computed {
            name: "sealed",
            about: "Whether the entry has its place in the chain.",
            graphql_type: "Boolean!",
            needs: &["chain_seq"],
            resolve: values::sealed,
        })
        .computed(Computed {
            name: "oldValues",
            about: "The changed fields as they were, for whoever may read all rows of the record.",
            graphql_type: "JSON",
            needs: &["id"],
            resolve: values::old,
        })
        .computed(Computed {
            name: "newValues",
            about: "The changed fields as they became, for whoever may read all rows of the record.",
            graphql_type: "JSON",
            needs: &["id"],
            resolve: values::new,
        })
        .one("user", Column::UserId, user::record::record, "Who did it.")
}
