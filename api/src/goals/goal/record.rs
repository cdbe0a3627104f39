//! Declaration of goals.

use std::sync::LazyLock;

use entity::customer_goal::{Column, Entity};

use super::graphql::VERBS;
use super::rules;
use crate::access::Resource;
use crate::crm::company;
use crate::identity::user;
use crate::record::declare::{Changes, CompanyPath, Default, OwnerPath, currency_field, field};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record, checks, declare};

pub static CLASSIFICATION: EnumType = EnumType {
    name: "CustomerClass",
    about: "How much of the sales a customer stands for (curva ABC).",
    values: &[
        EnumValue::of("A", "A", "A", "A"),
        EnumValue::of("B", "B", "B", "B"),
        EnumValue::of("C", "C", "C", "C"),
    ],
};

const YEAR_MIN: i64 = 1900;
const YEAR_MAX: i64 = 9999;

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>("Goal", "goal", "goals", Resource::CustomerGoals)
        .about(
            "What a seller is to sell to a customer in a year (meta por cliente). The page with \
             what was sold beside it is customerGoals.",
        )
        .stamped(
            Column::Id,
            [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt],
            Column::Version,
        )
        .external(Column::ExternalSystem, Column::ExternalId)
        .owned_by(OwnerPath::Column("seller_id"))
        .of_company(CompanyPath::Column("customer_id"))
        .changes(Changes {
            enabled: true,
            natural_keys: vec![&["externalSystem", "externalId"]],
            emits: Some(("growth", "goal")),
            follows: Some(rules::raise_epochs),
            verbs: &VERBS,
            ..Changes::default()
        })
        .field(field(Column::Year, Kind::Int).filter().sort().group().range(YEAR_MIN, YEAR_MAX))
        .field(
            field(Column::Amount, Kind::Money { currency: "currency" })
                .filter()
                .sort()
                .check(checks::not_negative)
                .default(Default::Value(0_i64.into()))
                .about("To be sold in the year (meta)."),
        )
        .field(currency_field(Column::Currency).sort())
        .field(field(Column::Classification, Kind::Enum(&CLASSIFICATION)).filter().sort().group())
        .field(
            field(Column::LastYearSales, Kind::Money { currency: "currency" })
                .filter()
                .sort()
                .about("Counts only for customers without sales in that year."),
        )
        .field(field(Column::SellerId, Kind::Id).filter().group().default(Default::CurrentUser))
        .field(field(Column::CustomerId, Kind::Id).filter().group())
        .field(field(Column::CreatedBy, Kind::Id).filter().read_only())
        .one("seller", Column::SellerId, user::record::record, "")
        .one("customer", Column::CustomerId, company::record, "")
        .one("creator", Column::CreatedBy, user::record::record, "")
}
