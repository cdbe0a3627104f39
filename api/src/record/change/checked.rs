//! Values on their way into a row: normal forms, lengths, ranges, defaults, and the columns that the
//! engine keeps itself (folded twins, search text).

use std::borrow::Cow;

use super::{Columns, RowChange};
use crate::ctx::Ctx;
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::record::declare::{Default, Field, Record};
use crate::record::kind::Kind;

/// Brings a value into the form in which it is stored, or refuses it.
pub(super) fn normal(field: &Field, value: Value) -> Result<Value> {
    let value = match (&value, field.check) {
        (Value::Null(_), _) | (_, None) => value,
        (_, Some(check)) => check(value).map_err(|error| error.at(field.name.clone()))?,
    };
    let refuse = |message| Err(Error::invalid_field(field.name.clone(), message));
    if value.is_null() && !field.nullable {
        return Err(required(field));
    }
    if let Value::Text(text) = &value {
        let max = field.chars_max;
        if text.chars().count() > max {
            return refuse(say(
                format!("at most {max} characters"),
                format!("no máximo {max} caracteres"),
            ));
        }
        let written = matches!(field.kind, Kind::Text | Kind::Code);
        if written && !field.nullable && text.trim().is_empty() {
            return Err(required(field));
        }
    }
    if let (Value::Int(number), Some((from, to))) = (&value, field.range)
        && !(from..=to).contains(number)
    {
        return refuse(say(
            format!("must be {from} to {to}"),
            format!("deve ser de {from} a {to}"),
        ));
    }
    Ok(value)
}

pub(super) fn required(field: &Field) -> Error {
    Error::invalid_field(
        field.name.clone(),
        say(format!("{} is required", field.name), format!("{} é obrigatório", field.name)),
    )
}

/// The value of a field that a create leaves out.
pub(super) fn default_of(ctx: &Ctx, field: &Field) -> Result<Value> {
    Ok(match &field.default {
        Default::Value(value) => value.clone(),
        Default::EmptyObject => Value::Json(serde_json::json!({})),
        Default::CurrentUser => Value::Id(ctx.actor.user_id),
        Default::TenantCurrency => Value::Text(ctx.actor.tenant.currency.clone()),
        Default::Now => Value::Instant(ctx.now()),
        Default::Today => {
            Value::Date(ctx.now().with_timezone(&ctx.actor.tenant.time_zone).date_naive())
        }
        Default::None if field.nullable => Value::Null(field.kind.bind()),
        Default::None => return Err(required(field)),
    })
}

/// Amounts fit their currency: those without minor units have whole amounts.
pub(super) fn check_money(change: &RowChange) -> Result<()> {
    for field in &change.record.fields {
        let Kind::Money { currency } = field.kind else { continue };
        if !change.new.contains_key(field.column) && !change.new.contains_key(currency) {
            continue;
        }
        let whole = match change.after(currency) {
            Some(Value::Text(code)) => entity::value::currency::has_no_minor_unit(code),
            _ => false,
        };
        if let Some(Value::Int(amount)) = change.after(field.column)
            && whole
            && amount % 100 != 0
        {
            return Err(Error::invalid_field(
                field.name.clone(),
                say(
                    "amounts of this currency have no decimals",
                    "valores nesta moeda não têm decimais",
                ),
            ));
        }
    }
    Ok(())
}

/// What a rule was to find for an import that left it out.
pub(super) fn check_inferred(change: &RowChange) -> Result<()> {
    for (column, _) in &change.record.changes.inferred {
        let field = change.record.fields.iter().find(|field| field.column == *column);
        if let Some(field) = field.filter(|field| !field.nullable)
            && change.after(column).is_none_or(Value::is_null)
        {
            return Err(required(field));
        }
    }
    Ok(())
}

/// The status machine, for the verbs of the API.
pub(super) fn check_status(change: &RowChange) -> Result<()> {
    let (Some(machine), Some(old)) = (change.record.changes.status, &change.old) else {
        return Ok(());
    };
    let Some(field) = change.record.find_field(machine.field) else { return Ok(()) };
    if change.imported || !change.changes(field.column) {
        return Ok(());
    }
    let (Some(Value::Text(from)), Some(Value::Text(to))) =
        (old.get(field.column), change.new.get(field.column))
    else {
        return Ok(());
    };
    if (machine.moves)(from, to) {
        return Ok(());
    }
    Err(Error::conflict_field(
        field.name.clone(),
        say(
            format!("{} cannot go from {from} to {to}", change.record.name),
            format!("{} não pode passar de {from} para {to}", change.record.name),
        ),
    ))
}

/// The columns to write: those that change, their folded twins, and the search text where one of its
/// parts changes.
pub(super) fn with_derived(change: &RowChange) -> Columns {
    let record: &Record = change.record;
    let mut columns: Columns =
        change.new.iter().map(|(column, value)| (Cow::Borrowed(*column), value.clone())).collect();
    for field in record.fields.iter().filter(|field| field.folded) {
        if let Some(value) = change.new.get(field.column) {
            let mut folded = value.clone();
            if let Value::Text(text) = &mut folded {
                *text = entity::value::fold::fold(text);
            }
            columns.insert(Cow::Owned(format!("{}_folded", field.column)), folded);
        }
    }
    let touched = record.searched.iter().any(|column| change.new.contains_key(column));
    if !record.searched.is_empty() && (touched || change.old.is_none()) {
        let parts: Vec<&str> = record
            .searched
            .iter()
            .filter_map(|column| match change.after(column) {
                Some(Value::Text(text)) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let text = entity::value::fold::search_text(&parts);
        columns.insert(Cow::Borrowed("search_text"), Value::Text(text));
    }
    columns
}
