//! Declaration of interactions.

use std::sync::LazyLock;

use entity::lead_interaction::{Column, Entity};

use super::rules;
use crate::access::Resource;
use crate::crm::lead;
use crate::identity::user;
use crate::record::declare::{Changes, CompanyPath, Default, OwnerPath, field};
use crate::record::kind::{EnumType, EnumValue};
use crate::record::{Kind, Record, declare};

pub static TYPE: EnumType = EnumType {
    name: "InteractionType",
    about: "Kind of an interaction.",
    values: &[
        EnumValue::of("whatsapp_sent", "WHATSAPP_SENT", "WhatsApp sent", "WhatsApp enviado"),
        EnumValue::of(
            "whatsapp_received",
            "WHATSAPP_RECEIVED",
            "WhatsApp received",
            "WhatsApp recebido",
        ),
        EnumValue::of("linkedin_sent", "LINKEDIN_SENT", "LinkedIn sent", "LinkedIn enviado"),
        EnumValue::of(
            "linkedin_received",
            "LINKEDIN_RECEIVED",
            "LinkedIn received",
            "LinkedIn recebido",
        ),
        EnumValue::of("email_sent", "EMAIL_SENT", "E-mail sent", "E-mail enviado"),
        EnumValue::of("email_opened", "EMAIL_OPENED", "E-mail opened", "E-mail aberto"),
        EnumValue::of("email_clicked", "EMAIL_CLICKED", "E-mail clicked", "E-mail clicado"),
        EnumValue::of("email_replied", "EMAIL_REPLIED", "E-mail replied", "E-mail respondido"),
        EnumValue::of("call", "CALL", "Call", "Ligação"),
        EnumValue::of("meeting", "MEETING", "Meeting", "Reunião"),
        EnumValue::of("note", "NOTE", "Note", "Nota"),
    ],
};

pub static DIRECTION: EnumType = EnumType {
    name: "InteractionDirection",
    about: "",
    values: &[
        EnumValue::of("inbound", "INBOUND", "Inbound", "Recebida"),
        EnumValue::of("outbound", "OUTBOUND", "Outbound", "Enviada"),
    ],
};

pub fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare::<Entity>(
        "LeadInteraction",
        "leadInteraction",
        "leadInteractions",
        Resource::LeadInteractions,
    )
    .about("A message, call, meeting or note of a lead (interação).")
    .stamped(Column::Id, [Column::CreatedAt, Column::UpdatedAt, Column::DeletedAt], Column::Version)
    .owned_by(OwnerPath::Through("lead"))
    .of_company(CompanyPath::Through("lead"))
    .changes(Changes {
        enabled: true,
        emits: Some(("growth", "lead_interaction")),
        follows: Some(rules::date_leads),
        ..Changes::default()
    })
    .field(field(Column::InteractionType, Kind::Enum(&TYPE)).named("type").filter().sort().group())
    .field(field(Column::Direction, Kind::Enum(&DIRECTION)).filter().group())
    .field(field(Column::Channel, Kind::Code).filter().sort().group().chars(50))
    .field(field(Column::Subject, Kind::Text))
    .field(field(Column::Content, Kind::Text).long().pii())
    .field(field(Column::Metadata, Kind::Json).filter().default(Default::EmptyObject))
    .field(field(Column::LeadId, Kind::Id).filter().group().on_create())
    .field(
        field(Column::PerformedBy, Kind::Id)
            .named("performerId")
            .filter()
            .group()
            .default(Default::CurrentUser),
    )
    .field(field(Column::CreatedBy, Kind::Id).filter().read_only())
    .one("lead", Column::LeadId, lead::record::record, "")
    .one("performer", Column::PerformedBy, user::record::record, "Who did it.")
    .one("creator", Column::CreatedBy, user::record::record, "")
}
