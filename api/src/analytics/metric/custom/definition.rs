//! A row of `custom_metrics` as a metric, and what is wrong with one that is none.

use std::sync::Arc;

use serde_json::Value as Json;
use uuid::Uuid;

use crate::analytics::metric::{Aggregation, Catalogue, Folded, Measure, Metric, Source};
use crate::error::{Error, Result, say};

/// What stands for a ratio where an aggregation is named.
pub(super) const RATIO: &str = "ratio";
const SCALE_MAX: i64 = 9;
const SOURCES_MAX: usize = 20;
const DIMENSIONS_MAX: usize = 8;
const NAME_CHARS_MAX: usize = 100;

/// The columns of a row that say what it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Definition {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) unit: String,
    pub(super) scope: String,
    pub(super) aggregation: String,
    pub(super) sources: Json,
    pub(super) value_field: Option<String>,
    pub(super) scale: i64,
    pub(super) dimensions: Json,
    pub(super) numerator: Option<String>,
    pub(super) denominator: Option<String>,
    pub(super) times: i64,
}

impl Definition {
    /// The metric that it is.
    ///
    /// # Errors
    ///
    /// `INVALID` with the GraphQL field that is wrong.
    pub(super) fn metric(&self, catalogue: &Catalogue) -> Result<Metric> {
        check_name("name", &self.name)?;
        let measure = if self.aggregation == RATIO {
            self.ratio(catalogue)?
        } else {
            Measure::Folded(Arc::new(self.folded()?))
        };
        Ok(Metric {
            name: self.name.clone(),
            label_en: self.label.clone(),
            label_pt: self.label.clone(),
            unit: self.unit.clone(),
            scope: self.scope.clone(),
            measure,
        })
    }

    pub(super) fn is_ratio_of(&self, name: &str) -> bool {
        [&self.numerator, &self.denominator].into_iter().any(|part| part.as_deref() == Some(name))
    }

    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a factor of a chart")]
    fn ratio(&self, catalogue: &Catalogue) -> Result<Measure> {
        unset("sources", is_empty(&self.sources))?;
        unset("dimensions", is_empty(&self.dimensions))?;
        unset("valueField", self.value_field.is_none())?;
        let part = |field: &'static str, name: Option<&String>| {
            let name = name.ok_or_else(|| missing(field))?;
            let found = catalogue.find(name).filter(|metric| metric.folded().is_some());
            found.cloned().ok_or_else(|| {
                Error::invalid_field(
                    field,
                    say(
                        format!("{name:?} is no metric that is folded"),
                        format!("{name:?} não é uma métrica que se acumula"),
                    ),
                )
            })
        };
        Ok(Measure::Ratio {
            numerator: part("numerator", self.numerator.as_ref())?,
            denominator: part("denominator", self.denominator.as_ref())?,
            times: self.times as f64,
        })
    }

    fn folded(&self) -> Result<Folded> {
        unset("numerator", self.numerator.is_none())?;
        unset("denominator", self.denominator.is_none())?;
        let known = Aggregation::ALL.into_iter().find(|each| each.as_str() == self.aggregation);
        let aggregation = known.ok_or_else(|| missing("aggregation"))?;
        let has_value = !matches!(aggregation, Aggregation::Count | Aggregation::Balance);
        match (has_value, &self.value_field) {
            (true, None) => return Err(missing("valueField")),
            (false, Some(_)) => unset("valueField", false)?,
            (true, Some(_)) | (false, None) => {}
        }
        let scale = u32::try_from(self.scale).ok().filter(|_| self.scale <= SCALE_MAX);
        Ok(Folded {
            key: self.id.to_string().into(),
            aggregation,
            sources: sources(&self.sources, aggregation)?,
            value: self.value_field.clone(),
            scale: scale.ok_or_else(|| {
                let message = say(
                    format!("0 to {SCALE_MAX} decimals are kept"),
                    format!("guardam-se de 0 a {SCALE_MAX} casas decimais"),
                );
                Error::invalid_field("scale", message)
            })?,
            dimensions: dimensions(&self.dimensions)?,
            skips_unreadable: true,
        })
    }
}

/// Nothing was said: the column's default, or null.
fn is_empty(json: &Json) -> bool {
    match json {
        Json::Null => true,
        Json::Array(list) => list.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

fn missing(field: &'static str) -> Error {
    let message = say("is needed for this aggregation", "é necessário para este tipo de agregação");
    Error::invalid_field(field, message)
}

fn unset(field: &'static str, is_unset: bool) -> Result<()> {
    if is_unset {
        return Ok(());
    }
    let message = say("is not for this aggregation", "não serve para este tipo de agregação");
    Err(Error::invalid_field(field, message))
}

/// Small letters, digits and underscores: it stands in questions, before a point.
fn check_name(field: &'static str, name: &str) -> Result<()> {
    let starts = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    let fits =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if starts && name.chars().all(fits) && name.len() <= NAME_CHARS_MAX {
        return Ok(());
    }
    let message = say(
        format!("{name:?} is no name: small letters, digits and _, a letter first"),
        format!("{name:?} não é um nome: letras minúsculas, dígitos e _, uma letra primeiro"),
    );
    Err(Error::invalid_field(field, message))
}

fn sources(json: &Json, aggregation: Aggregation) -> Result<Vec<Source>> {
    let refuse = || {
        Error::invalid_field(
            "sources",
            say(
                format!(
                    "must be a list of 1 to {SOURCES_MAX} objects {{eventType, only?: {{field, is}}, \
                     sign?}}, sign being 1 or -1 and for balances"
                ),
                format!(
                    "deve ser uma lista de 1 a {SOURCES_MAX} objetos {{eventType, only?: {{field, is}}, \
                     sign?}}, com sign 1 ou -1 e só em saldos"
                ),
            ),
        )
    };
    let list = json.as_array().filter(|list| (1..=SOURCES_MAX).contains(&list.len()));
    let list = list.ok_or_else(refuse)?;
    list.iter().map(|each| source(each, aggregation).ok_or_else(refuse)).collect()
}

fn source(json: &Json, aggregation: Aggregation) -> Option<Source> {
    let fields = json.as_object()?;
    if fields.keys().any(|name| !["eventType", "only", "sign"].contains(&name.as_str())) {
        return None;
    }
    let short = |text: &&str| !text.is_empty() && text.chars().count() <= NAME_CHARS_MAX;
    let event_type = fields.get("eventType")?.as_str().filter(short)?.to_owned();
    let sign = match fields.get("sign") {
        None => 1,
        Some(sign) if aggregation == Aggregation::Balance => {
            sign.as_i64().filter(|sign| sign.abs() == 1)?
        }
        Some(_) => return None,
    };
    let only = match fields.get("only") {
        None => None,
        Some(only) => {
            let only = only.as_object().filter(|only| only.len() == 2)?;
            let field = only.get("field")?.as_str().filter(short)?.to_owned();
            Some((field, only.get("is")?.as_str()?.to_owned()))
        }
    };
    Some(Source { event_type, sign, only })
}

fn dimensions(json: &Json) -> Result<Vec<String>> {
    let refuse = || {
        let message = say(
            format!("must be a list of at most {DIMENSIONS_MAX} different names"),
            format!("deve ser uma lista de no máximo {DIMENSIONS_MAX} nomes diferentes"),
        );
        Error::invalid_field("dimensions", message)
    };
    if is_empty(json) {
        return Ok(Vec::new());
    }
    let list = json.as_array().filter(|list| list.len() <= DIMENSIONS_MAX).ok_or_else(refuse)?;
    let mut names: Vec<String> = Vec::with_capacity(list.len());
    for name in list {
        let name = name.as_str().ok_or_else(refuse)?;
        check_name("dimensions", name)?;
        if names.iter().any(|known| known == name) {
            return Err(refuse());
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_value() -> Definition {
        Definition {
            name: "refunds".to_owned(),
            aggregation: "sum".to_owned(),
            sources: json!([{ "eventType": "order.refunded" }]),
            value_field: Some("amount".to_owned()),
            dimensions: json!(["channel"]),
            ..Definition::default()
        }
    }

    fn wrong(definition: &Definition) -> Option<String> {
        let error = definition.metric(&Catalogue::default()).err()?;
        assert_eq!(error.code().as_str(), "INVALID");
        error.field().map(str::to_owned)
    }

    #[test]
    fn a_definition_becomes_a_metric() {
        let metric = of_value().metric(&Catalogue::default()).unwrap();
        let folded = metric.folded().unwrap();
        assert_eq!(folded.aggregation, Aggregation::Sum);
        assert_eq!(folded.sources[0].event_type, "order.refunded");
        assert_eq!(metric.dimensions(), ["channel"]);
        let ratio = Definition {
            name: "share".to_owned(),
            aggregation: RATIO.to_owned(),
            numerator: Some("sla_breaches".to_owned()),
            denominator: Some("tickets_created".to_owned()),
            times: 100,
            ..Definition::default()
        };
        assert_eq!(ratio.metric(&Catalogue::default()).unwrap().parts().len(), 2);
        assert!(ratio.is_ratio_of("sla_breaches") && !ratio.is_ratio_of("share"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |change: fn(&mut Definition)| {
            let mut definition = of_value();
            change(&mut definition);
            wrong(&definition)
        };
        for (change, field) in [
            ((|one| one.name = "Refunds".into()) as fn(&mut Definition), "name"),
            (|one| one.name = "re.funds".into(), "name"),
            (|one| one.aggregation = "mode".into(), "aggregation"),
            (|one| one.value_field = None, "valueField"),
            (|one| one.aggregation = "count".into(), "valueField"),
            (|one| one.scale = 10, "scale"),
            (|one| one.scale = -1, "scale"),
            (|one| one.sources = json!([]), "sources"),
            (|one| one.sources = json!([{ "eventType": "" }]), "sources"),
            (|one| one.sources = json!([{ "eventType": "a", "sign": -1 }]), "sources"),
            (|one| one.sources = json!([{ "eventType": "a", "onyl": 1 }]), "sources"),
            (
                |one| one.sources = json!([{ "eventType": "a", "only": { "field": "b" } }]),
                "sources",
            ),
            (|one| one.dimensions = json!(["channel", "channel"]), "dimensions"),
            (|one| one.dimensions = json!(["Channel"]), "dimensions"),
            (|one| one.dimensions = json!("channel"), "dimensions"),
            (|one| one.numerator = Some("conversations".into()), "numerator"),
            (|one| one.aggregation = RATIO.into(), "sources"),
        ] {
            assert_eq!(with(change).as_deref(), Some(field));
        }
        let mut balance = of_value();
        balance.aggregation = "balance".into();
        balance.value_field = None;
        balance.sources = json!([{ "eventType": "a" }, { "eventType": "b", "sign": -1 }]);
        assert_eq!(wrong(&balance), None);
    }
}
