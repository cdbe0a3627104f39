//! A row and a plan -> the values of a record's columns. Pure.

use chrono_tz::Tz;
use serde_json::Value as Json;

use super::file::Row;
use super::lookup::Wanted;
use super::plan::{Case, Condition, Expr, Leaf, Number, Part, Source, Step, Target, Unmapped};
use super::{number, time};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::change::Values;
use crate::record::kind::{EnumType, Kind};

/// Where times without a zone are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zones {
    /// Of times that the mapping gives no zone.
    pub(super) usual: Tz,
    pub(super) tenant: Tz,
}

/// What a row gives before its look-ups are done.
#[derive(Default)]
pub(super) struct Drawn<'p> {
    pub(super) values: Values,
    pub(super) on_create: Values,
    pub(super) wanted: Vec<Wanted<'p>>,
}

/// Makes the columns that a step adds to its rows, but for joins.
pub(super) fn make_columns(step: &Step, row: &mut Row) -> Result<()> {
    for (name, expr) in &step.made {
        let text = text_of(expr, row).map_err(|error| error.at(name.clone()))?;
        row.make(name, text.unwrap_or_default());
    }
    Ok(())
}

/// The values of one row, in the types of their columns.
pub(super) fn draw<'p>(step: &'p Step, row: &Row, zones: Zones) -> Result<Drawn<'p>> {
    let mut drawn = Drawn::default();
    for target in &step.targets {
        draw_target(target, row, zones, &mut drawn)
            .map_err(|error| error.at(target.field.name.clone()))?;
    }
    Ok(drawn)
}

fn draw_target<'p>(
    target: &'p Target,
    row: &Row,
    zones: Zones,
    drawn: &mut Drawn<'p>,
) -> Result<()> {
    let field = target.field;
    if let Some((lookup, name)) = lookup_of(&target.value, row)? {
        drawn.wanted.push(Wanted { field, lookup, name, on_create: target.on_create });
        return Ok(());
    }
    let value = value_of(&target.value, field.kind, row, zones)?;
    let value = value.unwrap_or_else(|| Value::Null(field.kind.bind()));
    let values = if target.on_create { &mut drawn.on_create } else { &mut drawn.values };
    values.insert(field.column, value);
    Ok(())
}

/// The look-up that a value asks for, of alternatives the first with a name.
fn lookup_of<'p>(expr: &'p Expr, row: &Row) -> Result<Option<(&'p super::plan::Lookup, String)>> {
    if let Source::First(all) = &expr.source
        && expr.lookup.is_none()
    {
        for each in all {
            if let Some(found) = lookup_of(each, row)? {
                return Ok(Some(found));
            }
        }
        return Ok(None);
    }
    let Some(lookup) = &expr.lookup else { return Ok(None) };
    Ok(text_of(expr, row)?.map(|name| (lookup.as_ref(), name)))
}

/// A value in the type of a column; nothing where the row says nothing.
fn value_of(expr: &Expr, kind: Kind, row: &Row, zones: Zones) -> Result<Option<Value>> {
    match &expr.source {
        Source::First(all) if holds(expr, row, zones) => {
            for each in all {
                if let Some(value) = value_of(each, kind, row, zones)? {
                    return Ok(Some(value));
                }
            }
            return match (&expr.default, expr.required) {
                (Some(default), _) => typed(default, expr, kind, zones).map(Some),
                (None, true) => Err(nothing()),
                (None, false) => Ok(None),
            };
        }
        Source::Object(entries) if holds(expr, row, zones) => {
            return object(entries, row, zones).map(Value::Json).map(Some);
        }
        Source::First(_) | Source::Object(_) => return Ok(None),
        Source::Column(_) | Source::Constant(_) | Source::Template(_) => {}
    }
    match text_in(expr, row, zones)? {
        Some(text) => typed(&text, expr, kind, zones).map(Some),
        None => Ok(None),
    }
}

fn holds(expr: &Expr, row: &Row, zones: Zones) -> bool {
    expr.when.as_ref().is_none_or(|when| is_met(when, row, zones))
}

/// Conditions of texts compare no times but those that have their zone.
const NO_ZONES: Zones = Zones { usual: Tz::UTC, tenant: Tz::UTC };

/// The text of a value: cut, cleaned and mapped.
pub(super) fn text_of(expr: &Expr, row: &Row) -> Result<Option<String>> {
    text_in(expr, row, NO_ZONES)
}

fn text_in(expr: &Expr, row: &Row, zones: Zones) -> Result<Option<String>> {
    if !holds(expr, row, zones) {
        return Ok(None);
    }
    let given = match &expr.source {
        Source::Column(name) => row.get(name).map(str::to_owned),
        Source::Constant(text) => Some(text.clone()),
        Source::Template(parts) => filled(parts, row, expr),
        Source::First(all) => {
            let mut first = None;
            for each in all {
                first = text_in(each, row, zones)?;
                if first.is_some() {
                    break;
                }
            }
            first
        }
        Source::Object(_) => None,
    };
    let text = given.and_then(|text| cleaned(text, expr));
    let text = match (text, &expr.map) {
        (Some(text), Some((map, unmapped))) => match (map.get(&text), unmapped) {
            (Some(to), _) => Some(to.clone()).filter(|to| !to.is_empty()),
            (None, Unmapped::Keep) => Some(text),
            (None, Unmapped::Null) => None,
            (None, Unmapped::Refuse) => return Err(unknown(&text)),
        },
        (text, _) => text,
    };
    let text = text.map(|text| in_case(text, expr.case)).map(|text| match expr.chars {
        Some(count) => text.chars().take(count).collect(),
        None => text,
    });
    match text.or_else(|| expr.default.clone()) {
        None if expr.required => Err(nothing()),
        text => Ok(text),
    }
}

/// Without what surrounds it; nothing where it means nothing.
fn cleaned(text: String, expr: &Expr) -> Option<String> {
    let trimmed = if expr.trim { text.trim() } else { text.as_str() };
    if trimmed.is_empty() || expr.empty.iter().any(|empty| empty == trimmed) {
        return None;
    }
    Some(if trimmed.len() == text.len() { text } else { trimmed.to_owned() })
}

/// A template with every column in its place; nothing when one of them is empty.
fn filled(parts: &[Part], row: &Row, expr: &Expr) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(words) => text.push_str(words),
            Part::Column { name, chars } => {
                let cell = cleaned(row.get(name)?.to_owned(), expr)?;
                match chars {
                    Some(count) => text.extend(cell.chars().take(*count)),
                    None => text.push_str(&cell),
                }
            }
        }
    }
    Some(text)
}

/// Words that Portuguese names write small.
const SMALL_WORDS: [&str; 8] = ["a", "da", "das", "de", "do", "dos", "e", "o"];

fn in_case(text: String, case: Option<Case>) -> String {
    match case {
        None => text,
        Some(Case::Upper) => text.to_uppercase(),
        Some(Case::Lower) => text.to_lowercase(),
        Some(Case::Title) => {
            let words = text.split(' ').enumerate().map(|(index, word)| {
                let lower = word.to_lowercase();
                if index > 0 && SMALL_WORDS.contains(&lower.as_str()) {
                    lower
                } else {
                    titled(&lower)
                }
            });
            words.collect::<Vec<_>>().join(" ")
        }
    }
}

/// `mei-mei` -> `Mei-Mei`, `d'oeste` -> `d'Oeste`.
fn titled(word: &str) -> String {
    if let Some(rest) = word.strip_prefix("d'") {
        return format!("d'{}", titled(rest));
    }
    let mut title = String::with_capacity(word.len());
    let mut begins = true;
    for character in word.chars() {
        if begins {
            title.extend(character.to_uppercase());
        } else {
            title.push(character);
        }
        begins = matches!(character, '-' | '(' | '/');
    }
    title
}

/// A text as the value of a column.
fn typed(text: &str, expr: &Expr, kind: Kind, zones: Zones) -> Result<Value> {
    let zone = expr.zone.unwrap_or(zones.usual);
    let format = expr.format.as_ref();
    Ok(match kind {
        Kind::Text | Kind::Code => Value::Text(text.to_owned()),
        Kind::Int => Value::Int(small_int(text, expr.number)?),
        Kind::Money { .. } => Value::Int(number::parse(text, expr.number)?.to_hundredths()?),
        Kind::Bool => Value::Bool(truth(text)?),
        Kind::Date => Value::Date(time::date(text, format, zone, zones.tenant)?),
        Kind::Instant => Value::Instant(time::instant(text, format, zone)?),
        Kind::Enum(of) => Value::Text(enum_value(of, text)?.to_owned()),
        Kind::Id => {
            let id = uuid::Uuid::try_parse(text).map_err(|_not_an_id| {
                Error::invalid(say("expected an ID (UUID)", "esperava um ID (UUID)"))
            })?;
            Value::Id(id)
        }
        Kind::Json => Value::Json(checked_json(text)?),
        Kind::Float => return Err(Error::internal("a stored field of type Float")),
    })
}

fn small_int(text: &str, format: Number) -> Result<i64> {
    let number = number::parse(text, format)?.to_int()?;
    match i32::try_from(number) {
        Ok(small) => Ok(i64::from(small)),
        Err(_too_large) => {
            Err(Error::invalid(say("the number is too large", "o número é grande demais")))
        }
    }
}

fn checked_json(text: &str) -> Result<Json> {
    let wrong = || Error::invalid(say("expected JSON", "esperava JSON"));
    let json: Json = serde_json::from_str(text).map_err(|_not_json| wrong())?;
    let input = async_graphql::Value::from_json(json).map_err(|_not_json| wrong())?;
    crate::record::input::read_json(&input)
}

fn truth(text: &str) -> Result<bool> {
    match text.to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "sim" | "s" | "verdadeiro" => Ok(true),
        "false" | "f" | "no" | "n" | "0" | "não" | "nao" | "falso" => Ok(false),
        _ => Err(Error::invalid(say(
            format!("\"{}\" is neither true nor false", shown(text)),
            format!("\"{}\" não é verdadeiro nem falso", shown(text)),
        ))),
    }
}

/// A value of an enum, as the database or as GraphQL writes it.
fn enum_value(of: &'static EnumType, text: &str) -> Result<&'static str> {
    let known = of.values.iter().find(|value| {
        value.stored.eq_ignore_ascii_case(text) || value.shown.eq_ignore_ascii_case(text)
    });
    known.map(|value| value.stored).ok_or_else(|| {
        let names: Vec<&str> = of.values.iter().map(|value| value.shown).collect();
        let names = names.join(", ");
        Error::invalid(say(
            format!("\"{}\" is none of {names}", shown(text)),
            format!("\"{}\" não é um entre {names}", shown(text)),
        ))
    })
}

/// A JSON object of what is there; what is empty is left out.
fn object(entries: &[(String, Expr)], row: &Row, zones: Zones) -> Result<Json> {
    let mut object = serde_json::Map::new();
    for (key, expr) in entries {
        let text = text_in(expr, row, zones).map_err(|error| error.at(key.clone()))?;
        let Some(text) = text else { continue };
        let value = leaf(&text, expr, zones).map_err(|error| error.at(key.clone()))?;
        object.insert(key.clone(), value);
    }
    let object = Json::Object(object);
    if object.to_string().len() > limits::JSON_BYTES_MAX {
        return Err(Error::limit(say(
            format!("a JSON value is at most {} bytes", limits::JSON_BYTES_MAX),
            format!("um valor JSON tem no máximo {} bytes", limits::JSON_BYTES_MAX),
        )));
    }
    Ok(object)
}

fn leaf(text: &str, expr: &Expr, zones: Zones) -> Result<Json> {
    let zone = expr.zone.unwrap_or(zones.usual);
    let format = expr.format.as_ref();
    Ok(match expr.leaf {
        Leaf::Text => Json::String(text.to_owned()),
        Leaf::Int => Json::from(number::parse(text, expr.number)?.to_int()?),
        Leaf::Decimal => Json::String(number::parse(text, expr.number)?.to_text()),
        Leaf::Bool => Json::Bool(truth(text)?),
        Leaf::Date => Json::String(time::date(text, format, zone, zones.tenant)?.to_string()),
        Leaf::Instant => {
            let at = time::instant(text, format, zone)?;
            Json::String(at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
        }
    })
}

/// Whether a row meets a condition. What cannot be read meets none.
pub(super) fn is_met(condition: &Condition, row: &Row, zones: Zones) -> bool {
    let text = |expr: &Expr| text_in(expr, row, zones).ok().flatten();
    match condition {
        Condition::Empty(expr, empty) => text(expr).is_none() == *empty,
        Condition::OneOf(expr, values, wanted) => {
            text(expr).is_some_and(|text| values.contains(&text)) == *wanted
        }
        Condition::InMap(expr, map) => text(expr).is_some_and(|text| map.contains_key(&text)),
        Condition::Before(first, second) => {
            let at = |expr: &Expr| {
                let zone = expr.zone.unwrap_or(zones.usual);
                time::instant(&text(expr)?, expr.format.as_ref(), zone).ok()
            };
            matches!((at(first), at(second)), (Some(first), Some(second)) if first < second)
        }
        Condition::All(all) => all.iter().all(|each| is_met(each, row, zones)),
        Condition::Any(all) => all.iter().any(|each| is_met(each, row, zones)),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

fn nothing() -> Error {
    Error::invalid(say("is required and empty", "é obrigatório e está vazio"))
}

fn unknown(text: &str) -> Error {
    Error::invalid(say(
        format!("\"{}\" is not in the value map", shown(text)),
        format!("\"{}\" não está no mapa de valores", shown(text)),
    ))
}
