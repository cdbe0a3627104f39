//! Declaration of deals.

use std::sync::LazyLock;

use entity::deal::{Column, Entity};

use super::graphql::VERBS;
use super::rules;
use crate::access::Resource;
use crate::crm::{company, contact, deal_activity, lead, pipeline_stage};
use crate::identity::user;
use crate::record::declare::{
    Changes, CompanyPath, Default, OnDestroy, OwnerPath, currency_field, field,
};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record, checks, declare};

pub static STATUS: EnumType = EnumType {
    name: "DealStatus",
    about: "State of a deal; it follows from the stage.",
    values: &[
        EnumValue::of("open", "OPEN", "Open", "Aberto"),
        EnumValue::of("won", "WON", "Won", "Ganho"),
        EnumValue::of("lost", "LOST", "Lost", "Perdido"),
    ],
};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let declared = declare::<Entity>("Deal", "deal", "deals", Resource::Deals)
        .about("A piece of business in the pipeline (negócio).")
        .stamped(
            Column::Id,
            [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt],
            Column::Version,
        )
        .external(Column::ExternalSystem, Column::ExternalId)
        .owned_by(OwnerPath::Column("owned_by"))
        .of_company(CompanyPath::Column("company_id"))
        .searched(&["title"])
        .changes(Changes {
            enabled: true,
            natural_keys: vec![&["externalSystem", "externalId"]],
            emits: Some(("growth", "deal")),
            before: Some(rules::follow_stage),
            after: Some(rules::keep_stage_change),
            follows: Some(rules::tell_outcome),
            inferred: vec![("stage_id", "status"), ("status", "stage_id")],
            dependents: vec![("deal_stage_changes", "deal_id")],
            verbs: &VERBS,
            ..Changes::default()
        });
    relations(fields(declared))
}

fn fields(declared: Record) -> Record {
    declared
        .field(field(Column::Title, Kind::Text).filter().sort().folded())
        .field(
            field(Column::Status, Kind::Enum(&STATUS))
                .filter()
                .sort()
                .group()
                .read_only()
                .default(Default::Value("open".into())),
        )
        .field(
            field(Column::Value, Kind::Money { currency: "currency" })
                .filter()
                .sort()
                .check(checks::not_negative)
                .default(Default::Value(0_i64.into())),
        )
        .field(currency_field(Column::Currency).sort())
        .field(field(Column::ExpectedCloseDate, Kind::Date).filter().sort().group())
        .field(field(Column::ActualCloseDate, Kind::Date).filter().sort().group())
        .field(field(Column::LostReason, Kind::Text).about("Why it was lost (motivo da perda)."))
        .field(
            field(Column::StageChangedAt, Kind::Instant)
                .filter()
                .sort()
                .group()
                .read_only()
                .default(Default::Now)
                .about("When it came to its present stage."),
        )
        .field(field(Column::Notes, Kind::Text).long())
        .field(field(Column::Metadata, Kind::Json).filter().default(Default::EmptyObject))
        .field(
            field(Column::StageId, Kind::Id)
                .filter()
                .group()
                .on_create()
                .about("Later moves: dealMoveStage."),
        )
        .field(field(Column::LeadId, Kind::Id).filter())
        .field(field(Column::CompanyId, Kind::Id).filter().group())
        .field(field(Column::ContactId, Kind::Id).filter())
        .field(
            field(Column::OwnedBy, Kind::Id)
                .named("ownerId")
                .filter()
                .group()
                .default(Default::CurrentUser),
        )
        .field(field(Column::CreatedBy, Kind::Id).filter().read_only())
}

fn relations(declared: Record) -> Record {
    declared
        .one("stage", Column::StageId, pipeline_stage::record, "")
        .one("lead", Column::LeadId, lead::record::record, "The lead it came from.")
        .one("company", Column::CompanyId, company::record, "")
        .one("contact", Column::ContactId, contact::record, "")
        .one("owner", Column::OwnedBy, user::record::record, "")
        .one("creator", Column::CreatedBy, user::record::record, "")
        .many(
            "activities",
            entity::deal_activity::Column::DealId,
            deal_activity::record,
            OnDestroy::Cascade,
        )
}
