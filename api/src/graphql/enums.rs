//! `enums`: what the values of the schema's enums are called, in both languages, so that a frontend
//! draws its selects without a second source of truth.

use std::collections::BTreeMap;

use async_graphql::{Context, Object, Result, SimpleObject};

use super::catalogue::catalogue;
use super::{Caller, field_error};
use crate::error::Error;
use crate::record::kind::EnumType;

#[derive(Default)]
pub(crate) struct EnumsQuery;

#[Object]
impl EnumsQuery {
    /// The enums of the records' fields and arguments, by name, with the labels of their values.
    async fn enums(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only this one, as in \"LeadStatus\".")] name: Option<String>,
    ) -> Result<Vec<EnumInfo>> {
        if let Caller::Nobody { origin, .. } = context.data::<Caller>()? {
            return Err(field_error(&Error::unauthenticated(), origin.language));
        }
        let wanted = |known: &&EnumType| name.as_ref().is_none_or(|name| known.name == name);
        Ok(declared().into_values().filter(wanted).map(EnumInfo::of).collect())
    }
}

/// Every enum of every record, each once.
fn declared() -> BTreeMap<&'static str, &'static EnumType> {
    let records = catalogue().records.iter();
    records.flat_map(|record| record.enum_types()).map(|of| (of.name, of)).collect()
}

/// An enum of the schema.
#[derive(SimpleObject)]
struct EnumInfo {
    name: &'static str,
    /// In the order in which a select should show them.
    values: Vec<EnumLabel>,
}

/// A value of an enum and what people call it.
#[derive(SimpleObject)]
struct EnumLabel {
    value: &'static str,
    label_en: &'static str,
    label_pt: &'static str,
}

impl EnumInfo {
    fn of(of: &'static EnumType) -> Self {
        let values = of.values.iter().map(|value| EnumLabel {
            value: value.shown,
            label_en: value.label_en,
            label_pt: value.label_pt,
        });
        Self { name: of.name, values: values.collect() }
    }
}
