//! Declaration of leads.

use std::sync::LazyLock;

use entity::lead::{Column, Entity};

use super::graphql::VERBS;
use super::rules;
use super::status::{STATUS, TEMPERATURE, may_move};
use crate::access::Resource;
use crate::crm::{company, contact, deal, lead_interaction};
use crate::identity::user;
use crate::record::declare::{
    Changes, CompanyPath, Default, OnDestroy, OwnerPath, StatusMachine, field,
};
use crate::record::{Kind, Record, declare};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    let declared = declare::<Entity>("Lead", "lead", "leads", Resource::Leads)
        .about("Somebody who may become a customer (oportunidade de prospecção).")
        .stamped(
            Column::Id,
            [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt],
            Column::Version,
        )
        .external(Column::ExternalSystem, Column::ExternalId)
        .owned_by(OwnerPath::Column("assigned_to"))
        .of_company(CompanyPath::Column("company_id"))
        .searched(&["name", "source_detail"])
        .changes(Changes {
            enabled: true,
            natural_keys: vec![&["externalSystem", "externalId"]],
            emits: Some(("growth", "lead")),
            status: Some(StatusMachine { field: "status", moves: may_move }),
            before: Some(rules::guard_status),
            verbs: &VERBS,
            ..Changes::default()
        });
    relations(fields(declared))
}

fn fields(declared: Record) -> Record {
    declared
        .field(field(Column::Name, Kind::Text).filter().sort().folded())
        .field(
            field(Column::Status, Kind::Enum(&STATUS))
                .filter()
                .sort()
                .group()
                .default(Default::Value("new".into())),
        )
        .field(
            field(Column::Temperature, Kind::Enum(&TEMPERATURE))
                .filter()
                .sort()
                .group()
                .default(Default::Value("cold".into())),
        )
        .field(
            field(Column::Score, Kind::Int)
                .filter()
                .sort()
                .group()
                .range(0, 100)
                .default(Default::Value(0_i64.into()))
                .about("How promising, 0 to 100."),
        )
        .field(
            field(Column::Source, Kind::Code)
                .filter()
                .sort()
                .group()
                .chars(50)
                .about("Marketing source (origem)."),
        )
        .field(field(Column::SourceDetail, Kind::Text).chars(255))
        .field(field(Column::Channel, Kind::Code).filter().sort().group().chars(50))
        .field(
            field(Column::FirstContactAt, Kind::Instant)
                .filter()
                .sort()
                .group()
                .about("Follows the interactions (notes not counted), unless it was earlier."),
        )
        .field(
            field(Column::LastContactAt, Kind::Instant)
                .filter()
                .sort()
                .group()
                .about("Follows the interactions (notes not counted), unless it was later."),
        )
        .field(field(Column::ConvertedAt, Kind::Instant).filter().sort().group().read_only())
        .field(field(Column::Notes, Kind::Text).long())
        .field(field(Column::Metadata, Kind::Json).filter().default(Default::EmptyObject))
        .field(field(Column::CompanyId, Kind::Id).filter().group())
        .field(field(Column::ContactId, Kind::Id).filter())
        .field(
            field(Column::AssignedTo, Kind::Id)
                .named("assigneeId")
                .filter()
                .group()
                .default(Default::CurrentUser),
        )
        .field(field(Column::CreatedBy, Kind::Id).filter().read_only())
}

fn relations(declared: Record) -> Record {
    declared
        .one("company", Column::CompanyId, company::record, "")
        .one("contact", Column::ContactId, contact::record, "")
        .one("assignee", Column::AssignedTo, user::record::record, "Who works on it.")
        .one("creator", Column::CreatedBy, user::record::record, "")
        .many(
            "interactions",
            entity::lead_interaction::Column::LeadId,
            lead_interaction::record::record,
            OnDestroy::Cascade,
        )
        .many("deals", entity::deal::Column::LeadId, deal::record::record, OnDestroy::Restrict)
}
