//! Declaration of sales.

use std::sync::LazyLock;

use entity::sale::{Column, Entity};

use super::graphql::VERBS;
use super::rules;
use crate::access::Resource;
use crate::crm::{company, deal};
use crate::identity::user;
use crate::record::declare::{Changes, CompanyPath, Default, OwnerPath, currency_field, field};
use crate::record::{Kind, Record, declare};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let declared = declare::<Entity>("Sale", "sale", "sales", Resource::Sales)
        .about(
            "What a customer bought (venda). What came back is a sale of its own with a negative \
             amount; a sale that is cancelled counts nowhere.",
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
            natural_keys: vec![&["externalSystem", "externalId"], &["source", "orderId"]],
            emits: Some(("fin", "sale")),
            before: Some(rules::date),
            follows: Some(rules::raise_epochs),
            inferred: vec![("sold_at", "sold_on"), ("sold_on", "sold_at")],
            verbs: &VERBS,
            ..Changes::default()
        });
    relations(fields(declared))
}

fn fields(declared: Record) -> Record {
    declared
        .field(
            field(Column::Source, Kind::Code)
                .filter()
                .sort()
                .group()
                .chars(50)
                .default(Default::Value("api".into()))
                .about("The system that keeps the orders (`erp`); with orderId it names the sale."),
        )
        .field(field(Column::OrderId, Kind::Code).filter().sort().chars(200))
        .field(
            field(Column::Amount, Kind::Money { currency: "currency" })
                .filter()
                .sort()
                .about("Negative for what came back."),
        )
        .field(currency_field(Column::Currency).sort())
        .field(field(Column::SoldAt, Kind::Instant).filter().sort().group().default(Default::Now))
        .field(
            field(Column::SoldOn, Kind::Date)
                .filter()
                .sort()
                .group()
                .read_only()
                .default(Default::Today)
                .about("The day of soldAt by the tenant's calendar."),
        )
        .field(
            field(Column::CancelledAt, Kind::Instant)
                .filter()
                .sort()
                .group()
                .read_only()
                .about("Set by saleCancel: since then it counts nowhere."),
        )
        .field(field(Column::Notes, Kind::Text).long())
        .field(field(Column::Metadata, Kind::Json).filter().default(Default::EmptyObject))
        .field(field(Column::SellerId, Kind::Id).filter().group().default(Default::CurrentUser))
        .field(field(Column::CustomerId, Kind::Id).filter().group())
        .field(field(Column::DealId, Kind::Id).filter())
        .field(field(Column::CreatedBy, Kind::Id).filter().read_only())
}

fn relations(declared: Record) -> Record {
    declared
        .one("seller", Column::SellerId, user::record::record, "")
        .one("customer", Column::CustomerId, company::record, "")
        .one("deal", Column::DealId, deal::record::record, "The deal that it came from.")
        .one("creator", Column::CreatedBy, user::record::record, "")
}
