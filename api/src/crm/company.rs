//! Companies: customers and those who may become one (empresas).

use std::sync::LazyLock;

use entity::company::{Column, Entity};

use super::{contact, deal, lead};
use crate::access::Resource;
use crate::identity::user;
use crate::record::declare::{
    Changes, CompanyPath, Default, OnDestroy, OwnerPath, currency_field, field,
};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record, checks, declare};

pub static SIZE: EnumType = EnumType {
    name: "CompanySize",
    about: "Size of a company (porte).",
    values: &[
        EnumValue::of("micro", "MICRO", "Micro", "Micro"),
        EnumValue::of("pequena", "PEQUENA", "Small", "Pequena"),
        EnumValue::of("media", "MEDIA", "Medium", "Média"),
        EnumValue::of("grande", "GRANDE", "Large", "Grande"),
    ],
};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let declared = declare::<Entity>("Company", "company", "companies", Resource::Companies)
        .about("A customer or prospect (empresa).")
        .stamped(
            Column::Id,
            [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt],
            Column::Version,
        )
        .external(Column::ExternalSystem, Column::ExternalId)
        .owned_by(OwnerPath::Column("owner_id"))
        .of_company(CompanyPath::Column("id"))
        .searched(&["name", "trade_name", "cnpj"])
        .changes(Changes {
            enabled: true,
            natural_keys: vec![&["externalSystem", "externalId"], &["cnpj"]],
            emits: Some(("growth", "company")),
            ..Changes::default()
        });
    relations(details(identity(declared)))
}

fn identity(declared: Record) -> Record {
    declared
        .field(field(Column::Name, Kind::Text).filter().sort().folded())
        .field(field(Column::TradeName, Kind::Text).filter().sort().folded())
        .field(
            field(Column::Cnpj, Kind::Code)
                .filter()
                .sort()
                .chars(18)
                .check(checks::cnpj)
                .about("CNPJ, numeric or alphanumeric, 14 characters without punctuation."),
        )
        .field(field(Column::Segment, Kind::Code).filter().sort().group().chars(100))
        .field(field(Column::Size, Kind::Enum(&SIZE)).filter().sort().group())
        .field(field(Column::Source, Kind::Code).filter().sort().group().chars(50))
        .field(field(Column::Website, Kind::Text).chars(500).check(checks::url))
        .field(field(Column::LinkedinUrl, Kind::Text).chars(500).check(checks::url))
        .field(field(Column::InstagramUrl, Kind::Text).chars(500).check(checks::url))
}

fn details(declared: Record) -> Record {
    declared
        .field(field(Column::AddressStreet, Kind::Text))
        .field(field(Column::AddressCity, Kind::Text).filter().sort().group().folded().chars(100))
        .field(
            field(Column::AddressState, Kind::Code)
                .filter()
                .sort()
                .group()
                .chars(2)
                .check(checks::two_letters)
                .about("State, two letters (UF)."),
        )
        .field(field(Column::AddressZip, Kind::Code).filter().chars(10).check(checks::cep))
        .field(
            field(Column::Country, Kind::Code)
                .filter()
                .group()
                .chars(2)
                .check(checks::two_letters)
                .about("ISO 3166-1, two letters."),
        )
        .field(field(Column::Employees, Kind::Int).filter().sort().range(0, i64::from(i32::MAX)))
        .field(field(Column::AnnualRevenue, Kind::Money { currency: "currency" }).filter().sort())
        .field(
            currency_field(Column::Currency)
                .about("ISO 4217, the currency of this company's amounts."),
        )
        .field(field(Column::FoundedYear, Kind::Int).filter().sort().range(1000, 9999))
        .field(field(Column::Notes, Kind::Text).long())
        .field(field(Column::Metadata, Kind::Json).filter().default(Default::EmptyObject))
        .field(field(Column::ParentId, Kind::Id).filter())
        .field(field(Column::OwnerId, Kind::Id).filter().group().default(Default::CurrentUser))
        .field(field(Column::CreatedBy, Kind::Id).filter().read_only())
}

fn relations(declared: Record) -> Record {
    declared
        .one("parent", Column::ParentId, record, "The company it belongs to (matriz).")
        .one("owner", Column::OwnerId, user::record::record, "Who looks after it.")
        .one("creator", Column::CreatedBy, user::record::record, "")
        .many("subsidiaries", Column::ParentId, record, OnDestroy::Clear)
        .many("contacts", entity::contact::Column::CompanyId, contact::record, OnDestroy::Clear)
        .many("leads", entity::lead::Column::CompanyId, lead::record::record, OnDestroy::Restrict)
        .many("deals", entity::deal::Column::CompanyId, deal::record::record, OnDestroy::Restrict)
}
