//! Activities of a deal: what is to be done, and what was (atividades).

use std::sync::LazyLock;

use entity::deal_activity::{Column, Entity};

use super::deal;
use crate::access::Resource;
use crate::identity::user;
use crate::record::declare::{Changes, CompanyPath, Default, OwnerPath, field};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record, declare};

pub static KIND: EnumType = EnumType {
    name: "DealActivityKind",
    about: "",
    values: &[
        EnumValue::of("call", "CALL", "Call", "Ligação"),
        EnumValue::of("meeting", "MEETING", "Meeting", "Reunião"),
        EnumValue::of("email", "EMAIL", "E-mail", "E-mail"),
        EnumValue::of("task", "TASK", "Task", "Tarefa"),
        EnumValue::of("note", "NOTE", "Note", "Nota"),
        EnumValue::of("whatsapp", "WHATSAPP", "WhatsApp", "WhatsApp"),
        EnumValue::of("other", "OTHER", "Other", "Outra"),
    ],
};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>("DealActivity", "dealActivity", "dealActivities", Resource::DealActivities)
        .about("Something to do, or done, for a deal (atividade).")
        .stamped(
            Column::Id,
            [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt],
            Column::Version,
        )
        .owned_by(OwnerPath::Column("owner_id"))
        .of_company(CompanyPath::Through("deal"))
        .changes(Changes {
            enabled: true,
            emits: Some(("growth", "deal_activity")),
            ..Changes::default()
        })
        .field(field(Column::Kind, Kind::Enum(&KIND)).filter().sort().group())
        .field(field(Column::Subject, Kind::Text).filter().sort().folded())
        .field(field(Column::Notes, Kind::Text).long())
        .field(field(Column::DueAt, Kind::Instant).filter().sort().group())
        .field(field(Column::DoneAt, Kind::Instant).filter().sort().group())
        .field(field(Column::DealId, Kind::Id).filter().group().on_create())
        .field(field(Column::OwnerId, Kind::Id).filter().group().default(Default::CurrentUser))
        .field(field(Column::CreatedBy, Kind::Id).filter().read_only())
        .one("deal", Column::DealId, deal::record::record, "")
        .one("owner", Column::OwnerId, user::record::record, "")
        .one("creator", Column::CreatedBy, user::record::record, "")
}
