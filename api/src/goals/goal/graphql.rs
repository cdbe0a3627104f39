//! Mutations of goals beyond the engine's.

use std::sync::LazyLock;

use super::service::{self, Curve, Outcome, Proposal};
use crate::access::Resource;
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::record::change::verb::{Answer, Verb, missing, optional_int, optional_text};
use crate::record::declare::{Computation, computed_field, declare_computed};
use crate::record::input;
use crate::record::selection::Selected;
use crate::record::{Kind, Record};

/// What `goalsPropose` and `goalsClassify` answer.
fn outcome() -> &'static Record {
    static RECORD: LazyLock<Record> = LazyLock::new(|| {
        declare_computed("GoalsOutcome", "goalsOutcomes", Resource::CustomerGoals, |_, _, _| {
            Box::pin(async { Ok(Computation::default()) })
        })
        .about("What became of the goals of a year.")
        .field(computed_field("created", Kind::Int, false))
        .field(computed_field("updated", Kind::Int, false))
        .field(computed_field("unchanged", Kind::Int, false))
    });
    &RECORD
}

fn row(outcome: Outcome) -> Answer {
    Answer::Row(vec![
        Value::Int(outcome.created),
        Value::Int(outcome.updated),
        Value::Int(outcome.unchanged),
    ])
}

pub(super) static VERBS: [Verb; 2] = [
    Verb {
        name: "goalsPropose",
        about: "Makes goals of a year out of what each seller sold to each customer the year \
                before. Goals that are there stay, unless they are to be overwritten.",
        arguments: &[
            ("year", "Int!", ""),
            ("factor", "Decimal", "Of what was sold; 1.15 by default, at most two decimals."),
            ("currency", "String", "Needed where sales have more than one."),
            ("overwrite", "Boolean", "Goals that are there are changed too."),
        ],
        inputs: &[],
        answer: outcome,
        run: |session, selected| {
            Box::pin(async move {
                let factor = selected.argument("factor").map(input::read_money);
                let factor = factor.transpose().map_err(|error| error.at("factor"))?;
                let overwrite = selected.argument("overwrite").map(input::read_bool);
                let proposal = Proposal {
                    year: year(selected)?,
                    factor_hundredths: factor.unwrap_or(service::FACTOR_HUNDREDTHS),
                    currency: optional_text(selected, "currency")?,
                    overwrite: overwrite.transpose()?.unwrap_or_default(),
                };
                Ok(row(service::propose(session, proposal).await?))
            })
        },
    },
    Verb {
        name: "goalsClassify",
        about: "Classifies the customers of a year's goals by what they bought the year before: \
                the largest are A until they make `a` per cent of it, B for the next `b` per cent, \
                the rest C (curva ABC).",
        arguments: &[
            ("year", "Int!", ""),
            ("a", "Int", "Per cent; 80 by default."),
            ("b", "Int", "Per cent; 15 by default."),
            ("currency", "String", "Needed where sales have more than one."),
        ],
        inputs: &[],
        answer: outcome,
        run: |session, selected| {
            Box::pin(async move {
                let usual = Curve::default();
                let curve = Curve {
                    a: optional_int(selected, "a")?.unwrap_or(usual.a),
                    b: optional_int(selected, "b")?.unwrap_or(usual.b),
                };
                let currency = optional_text(selected, "currency")?;
                let year = year(selected)?;
                Ok(row(service::classify(session, year, curve, currency.as_deref()).await?))
            })
        },
    },
];

fn year(selected: &Selected) -> Result<i32> {
    let year = optional_int(selected, "year")?.ok_or_else(|| missing("year"))?;
    i32::try_from(year).map_err(|_too_far| {
        Error::invalid_field("year", say("must be 1900 to 9999", "deve ser de 1900 a 9999"))
    })
}
