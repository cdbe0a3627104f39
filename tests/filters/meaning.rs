//! What filters mean, compared with a plain reading of all rows.

use super::found;
use crate::support::TestApp;
use crate::support::both_databases;
use crate::support::data::CODES;
use crate::support::data::Data;
use crate::support::data::NAMES;
use crate::support::data::Random;
use crate::support::data::Row;
use crate::support::data::fill;
use crate::support::data::id_of;
use crate::support::data::random_date;
use crate::support::data::random_instant;
use crate::support::data::records;
use entity::value::fold;
use pulso::db::Value;
use pulso::record::Kind;
use pulso::record::Record;
use pulso::record::declare::Field;
use pulso::record::declare::RelationKind;
use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;
use std::collections::BTreeSet;

// ---- Filters made at random -----------------------------------------------------------------------

struct Maker<'a> {
    random: &'a mut Random,
    data: &'a Data,
}

impl Maker<'_> {
    fn filter(&mut self, record: &'static Record, depth: usize) -> Json {
        let mut filter = Map::new();
        for _ in 0..=self.random.below(2) {
            let (name, value) = self.entry(record, depth);
            filter.insert(name, value);
        }
        Json::Object(filter)
    }

    fn entry(&mut self, record: &'static Record, depth: usize) -> (String, Json) {
        if depth > 0 && self.random.chance(55) {
            let name = *self.random.pick(&["and", "or", "not", "relation", "relation"]);
            match name {
                "relation" if !record.relations.is_empty() => {
                    let relation = self.random.pick(&record.relations);
                    let inner = if self.random.chance(15) {
                        json!({})
                    } else {
                        self.filter((relation.target)(), depth - 1)
                    };
                    let value = match relation.kind {
                        RelationKind::One { .. } => inner,
                        RelationKind::Many { .. } => {
                            json!({ *self.random.pick(&["some", "every", "none"]): inner })
                        }
                    };
                    return (relation.name.to_owned(), value);
                }
                "not" => return ("not".to_owned(), self.filter(record, depth - 1)),
                "and" | "or" => {
                    let parts: Vec<Json> =
                        (0..self.random.below(4)).map(|_| self.filter(record, depth - 1)).collect();
                    return (name.to_owned(), Json::Array(parts));
                }
                _ => {}
            }
        }
        let fields: Vec<&Field> = record.fields.iter().filter(|field| field.filter).collect();
        let field = *self.random.pick(&fields);
        (field.name.clone(), self.comparison(record, field))
    }

    fn comparison(&mut self, record: &'static Record, field: &Field) -> Json {
        const EQUALITY: [&str; 5] = ["eq", "ne", "in", "notIn", "isNull"];
        const ORDER: [&str; 9] = ["eq", "ne", "in", "notIn", "isNull", "gt", "gte", "lt", "lte"];
        let operators: Vec<&str> = match field.kind {
            Kind::Id | Kind::Enum(_) => EQUALITY.to_vec(),
            Kind::Float => panic!("no column is a float"),
            Kind::Bool => vec!["eq", "ne", "isNull"],
            Kind::Code => [&ORDER[..], &["startsWith"]].concat(),
            Kind::Text => [&ORDER[..], &["contains", "startsWith", "endsWith", "search"]].concat(),
            Kind::Int | Kind::Money { .. } | Kind::Date | Kind::Instant => {
                [&ORDER[..], &["between"]].concat()
            }
            Kind::Json => {
                [&EQUALITY[..], &["contains", "startsWith", "endsWith", "arrayContains"]].concat()
            }
        };
        let operator = *self.random.pick(&operators);
        let value = match operator {
            "isNull" => json!(self.random.chance(50)),
            "in" | "notIn" => {
                Json::Array((0..self.random.below(4)).map(|_| self.value(record, field)).collect())
            }
            "between" => {
                json!({ "from": self.value(record, field), "to": self.value(record, field) })
            }
            "contains" | "startsWith" | "endsWith" | "search" | "arrayContains" => {
                json!(self.part(record, field))
            }
            _ => self.value(record, field),
        };
        let mut comparison = json!({ operator: value });
        if matches!(field.kind, Kind::Json) {
            const PATHS: [&[&str]; 8] = [
                &["a"],
                &["list"],
                &["deep", "k"],
                &["list", "0"],
                &["list", "1"],
                &["deep", "k", "1"],
                &["absent"],
                &["a", "b"],
            ];
            let path = self.random.pick(&PATHS);
            comparison["path"] = json!(path);
        }
        comparison
    }

    /// A value as input, mostly one that some row has.
    fn value(&mut self, record: &'static Record, field: &Field) -> Json {
        if matches!(field.kind, Kind::Json) {
            return json!(*self.random.pick(&["x", "y", "João", "5", "true", "false", "3", ""]));
        }
        if self.random.chance(75) {
            let rows = self.data.all(record);
            let value = &self.random.pick(rows)[field.column];
            if !value.is_null() {
                return as_input(field.kind, value);
            }
        }
        match field.kind {
            Kind::Id => json!("01950000-0000-7000-8000-000000000000"),
            Kind::Text => json!(*self.random.pick(&NAMES)),
            Kind::Code => json!(*self.random.pick(&CODES)),
            Kind::Int => json!(i64::try_from(self.random.below(60)).unwrap() - 20),
            Kind::Bool => json!(self.random.chance(50)),
            Kind::Money { .. } => {
                json!(*self.random.pick(&["0", "0.01", "1054.00", "-0.05", "-7"]))
            }
            Kind::Date => json!(random_date(self.random).to_string()),
            Kind::Instant => json!(random_instant(self.random).to_rfc3339()),
            Kind::Enum(of) => json!(self.random.pick(of.values).shown),
            Kind::Float | Kind::Json => unreachable!(),
        }
    }

    /// A piece of a text.
    fn part(&mut self, record: &'static Record, field: &Field) -> String {
        let Json::String(text) = self.value(record, field) else { panic!() };
        let characters: Vec<char> = text.chars().collect();
        let from = self.random.below(characters.len() + 1);
        let length = self.random.below(characters.len() - from + 1);
        let piece: String = characters[from..from + length].iter().collect();
        match self.random.below(4) {
            0 => text,
            1 => piece.to_uppercase(),
            _ => piece,
        }
    }
}

fn as_input(kind: Kind, value: &Value) -> Json {
    match value {
        Value::Id(id) => json!(id),
        Value::Text(text) => match kind {
            Kind::Enum(of) => json!(of.shown(text).unwrap()),
            _ => json!(text),
        },
        Value::Int(number) => match kind {
            Kind::Money { .. } => json!(decimal(*number)),
            _ => json!(number),
        },
        Value::Bool(value) => json!(value),
        Value::Date(date) => json!(date.to_string()),
        Value::Instant(at) => json!(at.to_rfc3339()),
        other => panic!("{other:?}"),
    }
}

fn decimal(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let absolute = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", absolute / 100, absolute % 100)
}

// ---- The same, evaluated in memory ------------------------------------------------------------------

fn matches(data: &Data, record: &'static Record, row: &Row, filter: &Json) -> bool {
    filter.as_object().unwrap().iter().all(|(name, value)| match name.as_str() {
        "and" => parts(value).iter().all(|part| matches(data, record, row, part)),
        "or" => parts(value).iter().any(|part| matches(data, record, row, part)),
        "not" => !matches(data, record, row, value),
        name => match record.find_relation(name) {
            None => compares(record.find_field(name).unwrap(), row, value),
            Some(relation) => {
                let target = (relation.target)();
                match relation.kind {
                    RelationKind::One { .. } => data
                        .related(row, name, record)
                        .is_some_and(|other| matches(data, target, other, value)),
                    RelationKind::Many { column, .. } => {
                        let others = data.living(target);
                        let mut others = others.iter().filter(|other| other[column] == row["id"]);
                        value.as_object().unwrap().iter().all(|(quantifier, inner)| {
                            let holds = |other: &&&Row| matches(data, target, other, inner);
                            match quantifier.as_str() {
                                "some" => others.any(|other| holds(&other)),
                                "every" => others.all(|other| holds(&other)),
                                _ => !others.any(|other| holds(&other)),
                            }
                        })
                    }
                }
            }
        },
    })
}

fn parts(value: &Json) -> &[Json] {
    value.as_array().unwrap()
}

fn compares(field: &Field, row: &Row, comparison: &Json) -> bool {
    let entries = comparison.as_object().unwrap();
    let path = entries.get("path");
    let stored = match (&row[field.column], path) {
        (Value::Json(json), Some(path)) => json_text(json, path),
        (value, _) => value.clone(),
    };
    entries.iter().filter(|(operator, _)| *operator != "path").all(|(operator, given)| {
        if operator == "arrayContains" {
            let Value::Json(json) = &row[field.column] else { return false };
            let found = at_path(json, path.unwrap());
            return found.and_then(Json::as_array).is_some_and(|items| items.contains(given));
        }
        if let (Value::Json(json), Some(path), "isNull") =
            (&row[field.column], path, operator.as_str())
        {
            let is_null = at_path(json, path).is_none_or(Json::is_null);
            return is_null == given.as_bool().unwrap();
        }
        let kind = if path.is_some() { Kind::Code } else { field.kind };
        holds(field, kind, &stored, operator, given)
    })
}

fn holds(field: &Field, kind: Kind, stored: &Value, operator: &str, given: &Json) -> bool {
    let equals = |given: &Json| !stored.is_null() && *stored == read(kind, given);
    let folds = field.folded && matches!(kind, Kind::Text);
    let text_of = |value: &Value| match value {
        Value::Text(text) if folds => fold(text),
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    let order = |given: &Json| {
        let given = read(kind, given);
        if stored.is_null() {
            return None;
        }
        Some(match (stored, &given) {
            (Value::Text(_), Value::Text(_)) => text_of(stored).cmp(&text_of(&given)),
            (Value::Int(left), Value::Int(right)) => left.cmp(right),
            (Value::Date(left), Value::Date(right)) => left.cmp(right),
            (Value::Instant(left), Value::Instant(right)) => left.cmp(right),
            other => panic!("{other:?}"),
        })
    };
    let piece = |test: fn(&str, &str) -> bool| {
        let given = given.as_str().unwrap();
        let given = if folds { fold(given) } else { given.to_owned() };
        !stored.is_null() && test(&text_of(stored), &given)
    };
    match operator {
        "eq" => equals(given),
        "ne" => !equals(given),
        "in" => parts(given).iter().any(equals),
        "notIn" => !parts(given).iter().any(equals),
        "isNull" => stored.is_null() == given.as_bool().unwrap(),
        "gt" => order(given).is_some_and(|order| order.is_gt()),
        "gte" => order(given).is_some_and(|order| order.is_ge()),
        "lt" => order(given).is_some_and(|order| order.is_lt()),
        "lte" => order(given).is_some_and(|order| order.is_le()),
        "between" => {
            order(&given["from"]).is_some_and(|order| order.is_ge())
                && order(&given["to"]).is_some_and(|order| order.is_le())
        }
        "contains" => piece(|text, part| text.contains(part)),
        "startsWith" => piece(|text, part| text.starts_with(part)),
        "endsWith" => piece(|text, part| text.ends_with(part)),
        "search" => piece(|text, words| words.split_whitespace().all(|word| text.contains(word))),
        other => panic!("{other}"),
    }
}

fn read(kind: Kind, given: &Json) -> Value {
    let text = || given.as_str().unwrap().to_owned();
    match kind {
        Kind::Id => Value::Id(text().parse().unwrap()),
        Kind::Text | Kind::Code => Value::Text(text()),
        Kind::Int => Value::Int(given.as_i64().unwrap()),
        Kind::Bool => Value::Bool(given.as_bool().unwrap()),
        Kind::Money { .. } => Value::Int(entity::value::money::parse_hundredths(&text()).unwrap()),
        Kind::Date => Value::Date(text().parse().unwrap()),
        Kind::Instant => Value::Instant(text().parse().unwrap()),
        Kind::Enum(of) => Value::from(of.stored(&text()).unwrap()),
        Kind::Float | Kind::Json => panic!("a path is needed"),
    }
}

fn at_path<'j>(json: &'j Json, path: &Json) -> Option<&'j Json> {
    parts(path).iter().try_fold(json, |at, key| {
        let key = key.as_str().unwrap();
        match at {
            Json::Array(items) => items.get(key.parse::<usize>().ok()?),
            other => other.get(key),
        }
    })
}

/// Scalars as text; objects, lists, null and what is not there have none.
fn json_text(json: &Json, path: &Json) -> Value {
    match at_path(json, path) {
        None | Some(Json::Null | Json::Object(_) | Json::Array(_)) => {
            Value::Null(pulso::db::NullOf::Text)
        }
        Some(Json::String(text)) => Value::from(text.as_str()),
        Some(other) => Value::Text(other.to_string()),
    }
}

both_databases! {
    async fn filters_mean_what_they_say(app: TestApp) {
        let mut random = Random::new(4);
        let data = fill(&app, &app.alpha, &mut random, 24).await;
        fill(&app, &app.beta, &mut random, 4).await;
        let (mut some, mut tried) = (0, 0);
        for _ in 0..450 {
            let record = *random.pick(&records());
            let filter = Maker { random: &mut random, data: &data }.filter(record, 3);
            let rows = data.living(record);
            let expected: BTreeSet<String> = rows
                .iter()
                .filter(|row| matches(&data, record, row, &filter))
                .map(|row| id_of(row))
                .collect();
            let rest: BTreeSet<String> =
                rows.iter().map(|row| id_of(row)).filter(|id| !expected.contains(id)).collect();
            assert_eq!(found(&app, record, &filter).await, expected, "{}: {filter}", record.name);
            let negated = json!({ "not": filter });
            assert_eq!(found(&app, record, &negated).await, rest, "{}: {negated}", record.name);
            tried += 1;
            some += usize::from(!expected.is_empty() && !rest.is_empty());
        }
        // Most filters must tell rows apart, or they prove little.
        assert!(some * 3 > tried, "{some} of {tried}");
    }

    async fn every_operator_of_every_field_is_tried(app: TestApp) {
        let mut random = Random::new(5);
        let data = fill(&app, &app.alpha, &mut random, 16).await;
        for record in records() {
            for field in record.fields.iter().filter(|field| field.filter) {
                for _ in 0..6 {
                    let comparison = Maker { random: &mut random, data: &data }.comparison(record, field);
                    let filter = json!({ field.name.clone(): comparison });
                    let expected: BTreeSet<String> = data
                        .living(record)
                        .iter()
                        .filter(|row| matches(&data, record, row, &filter))
                        .map(|row| id_of(row))
                        .collect();
                    assert_eq!(found(&app, record, &filter).await, expected, "{}: {filter}", record.name);
                }
            }
        }
    }
}
