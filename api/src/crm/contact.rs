//! Contacts: people, most of them of a company (contatos).

use std::sync::LazyLock;

use entity::contact::{Column, Entity};

use super::{company, deal, lead};
use crate::access::Resource;
use crate::identity::user;
use crate::record::declare::{Changes, CompanyPath, Default, OnDestroy, OwnerPath, field};
use crate::record::{Kind, Record, checks, declare};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let declared = declare::<Entity>("Contact", "contact", "contacts", Resource::Contacts)
        .about("A person (contato), usually of a company.")
        .stamped(
            Column::Id,
            [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt],
            Column::Version,
        )
        .external(Column::ExternalSystem, Column::ExternalId)
        .owned_by(OwnerPath::Column("owner_id"))
        .of_company(CompanyPath::Column("company_id"))
        .searched(&["full_name", "email", "job_title"])
        .changes(Changes {
            enabled: true,
            natural_keys: vec![&["externalSystem", "externalId"]],
            emits: Some(("growth", "contact")),
            ..Changes::default()
        });
    relations(fields(declared))
}

fn fields(declared: Record) -> Record {
    declared
        .field(field(Column::FullName, Kind::Text).filter().sort().folded().pii())
        .field(field(Column::Email, Kind::Code).filter().sort().pii().check(checks::email))
        .field(
            field(Column::Phone, Kind::Code)
                .filter()
                .pii()
                .chars(20)
                .check(checks::phone)
                .about("E.164, as +5511987654321."),
        )
        .field(field(Column::Whatsapp, Kind::Code).filter().pii().chars(20).check(checks::phone))
        .field(field(Column::JobTitle, Kind::Text).filter().sort().folded().chars(150))
        .field(field(Column::Department, Kind::Code).filter().sort().group().chars(100))
        .field(field(Column::LinkedinUrl, Kind::Text).chars(500).check(checks::url).pii())
        .field(
            field(Column::IsDecisionMaker, Kind::Bool)
                .filter()
                .sort()
                .group()
                .default(Default::Value(false.into())),
        )
        .field(field(Column::Notes, Kind::Text).long())
        .field(field(Column::Source, Kind::Code).filter().sort().group().chars(50))
        .field(field(Column::Metadata, Kind::Json).filter().default(Default::EmptyObject))
        .field(field(Column::CompanyId, Kind::Id).filter().group())
        .field(field(Column::OwnerId, Kind::Id).filter().group().default(Default::CurrentUser))
        .field(field(Column::CreatedBy, Kind::Id).filter().read_only())
}

fn relations(declared: Record) -> Record {
    declared
        .one("company", Column::CompanyId, company::record, "")
        .one("owner", Column::OwnerId, user::record::record, "")
        .one("creator", Column::CreatedBy, user::record::record, "")
        .many("leads", entity::lead::Column::ContactId, lead::record::record, OnDestroy::Clear)
        .many("deals", entity::deal::Column::ContactId, deal::record::record, OnDestroy::Clear)
}
