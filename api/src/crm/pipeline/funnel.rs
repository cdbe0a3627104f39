//! `leadFunnel`: what became of the leads of each month and source.

use std::sync::LazyLock;

use async_graphql_value::ConstValue;
use chrono_tz::Tz;

use super::{argument, share, store, window};
use crate::access::Resource;
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, say};
use crate::record::declare::{ComputedRows, computed_field, declare_computed};
use crate::record::{Kind, Record, input};

pub(super) fn record() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(declaration);
    &RECORD
}

fn declaration() -> Record {
    declare_computed("LeadFunnel", "leadFunnel", Resource::Leads, compute)
        .about(
            "Leads by the month they came in and their source, and how far they got. A lead that is \
             qualified counts as contacted too.",
        )
        .arguments(&[
            ("from", "DateTime", "Leads created from then on."),
            ("to", "DateTime", "Leads created before then."),
            ("timeZone", "String", "IANA name; the tenant's zone by default."),
        ])
        .reads(&["createdAt", "source", "status"])
        .field(computed_field("month", Kind::Date, false).about("Its first day."))
        .field(computed_field("source", Kind::Code, false))
        .field(computed_field("leads", Kind::Int, false))
        .field(computed_field("contacted", Kind::Int, false))
        .field(computed_field("qualified", Kind::Int, false))
        .field(computed_field("converted", Kind::Int, false))
        .field(computed_field("unqualified", Kind::Int, false))
        .field(computed_field("lost", Kind::Int, false))
        .field(computed_field("conversion", Kind::Float, true).about("Converted of all, 0 to 1."))
}

fn compute<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    arguments: &'a [(String, ConstValue)],
) -> ComputedRows<'a> {
    Box::pin(async move {
        let reader = ctx.reader(Resource::Leads)?;
        let zone = match argument(arguments, "timeZone") {
            None => ctx.actor.tenant.time_zone,
            Some(name) => input::read_text(name)?.parse::<Tz>().map_err(|_unknown| {
                Error::invalid_field(
                    "timeZone",
                    say(
                        "unknown time zone: use an IANA name",
                        "fuso desconhecido: use um nome IANA",
                    ),
                )
            })?,
        };
        let rows = store::leads_by_month(conn, &reader, window(arguments)?, zone).await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let rate = share(row.converted, row.leads);
                vec![
                    Value::Date(row.month),
                    Value::Text(row.source),
                    Value::Int(row.leads),
                    Value::Int(row.contacted),
                    Value::Int(row.qualified),
                    Value::Int(row.converted),
                    Value::Int(row.unqualified),
                    Value::Int(row.lost),
                    rate.map_or(Value::Null(NullOf::Float), Value::Float),
                ]
            })
            .collect::<Vec<_>>()
            .into())
    })
}
