//! Mutations of leads beyond the engine's.

use std::sync::LazyLock;

use super::{record, service};
use crate::access::Resource;
use crate::crm::{company, contact, deal};
use crate::db::{NullOf, Value};
use crate::record::change::verb::{
    Answer, InputType, Verb, id, missing, optional_int, optional_text,
};
use crate::record::declare::{Computation, computed_field, declare_computed};
use crate::record::{Kind, Record};

/// What `leadConvert` answers.
fn conversion() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare_computed("LeadConversion", "leadConversions", Resource::Leads, |_, _, _| {
            Box::pin(async { Ok(Computation::default()) })
        })
        .about("What a lead became.")
        .field(computed_field("lead_id", Kind::Id, false))
        .field(computed_field("company_id", Kind::Id, false))
        .field(computed_field("contact_id", Kind::Id, true))
        .field(computed_field("deal_id", Kind::Id, false))
        .one_by("lead", "lead_id", record::record)
        .one_by("company", "company_id", company::record)
        .one_by("contact", "contact_id", contact::record)
        .one_by("deal", "deal_id", deal::record::record)
    });
    &RECORD
}

static CONVERT_INPUTS: [InputType; 1] = [InputType {
    name: "LeadConvertDealInput",
    fields: &[
        ("title", "String", "The lead's name by default."),
        ("value", "Decimal", ""),
        ("currency", "String", "The tenant's by default."),
        ("stageId", "ID", "The first stage by default."),
        ("expectedCloseDate", "Date", ""),
        ("ownerId", "ID", "The lead's assignee by default."),
        ("notes", "String", ""),
        ("metadata", "JSON", ""),
    ],
}];

pub(super) static VERBS: [Verb; 3] = [
    Verb {
        name: "leadConvert",
        about: "Turns a qualified lead into a company, a contact and a deal, all or nothing.",
        arguments: &[
            ("id", "ID!", ""),
            ("company", "CompanyOneInput", "The lead's own, or one of its name, by default."),
            ("contact", "ContactOneInput", "The lead's own by default."),
            ("deal", "LeadConvertDealInput", ""),
            ("expectedVersion", "Int", "CONFLICT when the lead has another version."),
        ],
        inputs: &CONVERT_INPUTS,
        answer: conversion,
        run: |session, selected| {
            Box::pin(async move {
                let to = service::Conversion {
                    company: selected.argument("company").cloned(),
                    contact: selected.argument("contact").cloned(),
                    deal: selected.argument("deal").cloned(),
                    expected_version: optional_int(selected, "expectedVersion")?,
                };
                let done = service::convert(session, id(selected, "id")?, to).await?;
                Ok(Answer::Row(vec![
                    Value::Id(done.lead),
                    Value::Id(done.company),
                    done.contact.map_or(Value::Null(NullOf::Id), Value::Id),
                    Value::Id(done.deal),
                ]))
            })
        },
    },
    Verb {
        name: "leadAssign",
        about: "Gives a lead to somebody.",
        arguments: &[("id", "ID!", ""), ("assigneeId", "ID!", "")],
        inputs: &[],
        answer: record::record,
        run: |session, selected| {
            Box::pin(async move {
                let lead_id = id(selected, "id")?;
                service::assign(session, lead_id, id(selected, "assigneeId")?).await?;
                Ok(Answer::Record(lead_id))
            })
        },
    },
    Verb {
        name: "leadScore",
        about: "Sets how promising a lead is, 0 to 100. The temperature follows (70 hot, 40 warm) \
                unless it is given.",
        arguments: &[
            ("id", "ID!", ""),
            ("score", "Int!", ""),
            ("temperature", "LeadTemperature", ""),
        ],
        inputs: &[],
        answer: record::record,
        run: |session, selected| {
            Box::pin(async move {
                let lead_id = id(selected, "id")?;
                let score = optional_int(selected, "score")?.ok_or_else(|| missing("score"))?;
                let temperature = match selected.argument("temperature") {
                    Some(given) => Some(
                        crate::record::input::read_enum(&super::status::TEMPERATURE, given)?
                            .to_owned(),
                    ),
                    None => optional_text(selected, "temperature")?,
                };
                service::score(session, lead_id, score, temperature).await?;
                Ok(Answer::Record(lead_id))
            })
        },
    },
];
