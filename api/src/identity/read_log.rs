//! Declaration of the log of reads: read, never changed. What writes it is
//! [`crate::audit::reads`].

use std::sync::LazyLock;

use entity::read_log::{Column, Entity};

use crate::access::Resource;
use crate::identity::user;
use crate::record::declare::{OwnerPath, field};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record, declare};

static KIND: EnumType = EnumType {
    name: "ReadKind",
    about: "What a read was logged for.",
    values: &[
        EnumValue::of("personal", "PERSONAL", "Personal data", "Dados pessoais"),
        EnumValue::of("analytics", "ANALYTICS", "Analytics", "Análises"),
    ],
};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>("ReadLog", "readLog", "readLogs", Resource::AuditLogs)
        .about(
            "Who read personal data or analytics (registro de leituras). Written within a second.",
        )
        .owned_by(OwnerPath::Column("user_id"))
        .field(field(Column::Id, Kind::Id).filter().read_only())
        .field(field(Column::CreatedAt, Kind::Instant).filter().sort().group().read_only())
        .field(field(Column::Kind, Kind::Enum(&KIND)).filter().group().read_only())
        .field(
            field(Column::Resource, Kind::Code)
                .filter()
                .group()
                .read_only()
                .about("The kind of record, as permissions name it: contacts."),
        )
        .field(
            field(Column::Fields, Kind::Json)
                .read_only()
                .about("Names of the personal fields that were selected."),
        )
        .field(
            field(Column::RowCount, Kind::Int)
                .range(0, i64::MAX / 2)
                .filter()
                .read_only()
                .about("Rows that the answer held them of."),
        )
        .field(field(Column::UserId, Kind::Id).filter().group().read_only())
        .field(field(Column::ApiKeyId, Kind::Id).filter().group().read_only())
        .field(field(Column::IpAddress, Kind::Code).filter().read_only())
        .field(field(Column::UserAgent, Kind::Text).read_only())
        .field(field(Column::RequestId, Kind::Code).filter().read_only())
        .one("user", Column::UserId, user::record::record, "Who read.")
}
