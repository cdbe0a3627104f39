//! What a field holds: its GraphQL type, its bind type, and how its text is read and shown.

use crate::db::NullOf;

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Id,
    /// Text that people write; may have a folded twin for order and matching.
    Text,
    /// Text that machines compare: codes, slugs, sources. Exact, byte order.
    Code,
    Int,
    /// Of computed records only: ratios and chart values.
    Float,
    Bool,
    /// Hundredths in a 64-bit integer; `currency` is the column that holds its currency.
    Money {
        currency: &'static str,
    },
    /// A calendar date.
    Date,
    /// An instant, UTC.
    Instant,
    Json,
    Enum(&'static EnumType),
}

/// A closed set of values: stored in lower case, shown in SCREAMING_SNAKE_CASE, labelled in both
/// languages.
#[derive(Debug)]
pub struct EnumType {
    pub name: &'static str,
    pub about: &'static str,
    pub values: &'static [EnumValue],
}

#[derive(Debug)]
pub struct EnumValue {
    /// As the database has it.
    pub stored: &'static str,
    /// As GraphQL shows it.
    pub shown: &'static str,
    pub label_en: &'static str,
    pub label_pt: &'static str,
}

impl EnumValue {
    pub const fn of(
        stored: &'static str,
        shown: &'static str,
        label_en: &'static str,
        label_pt: &'static str,
    ) -> Self {
        Self { stored, shown, label_en, label_pt }
    }
}

impl EnumType {
    pub fn shown(&self, stored: &str) -> Option<&'static str> {
        self.values.iter().find(|value| value.stored == stored).map(|value| value.shown)
    }

    pub fn stored(&self, shown: &str) -> Option<&'static str> {
        self.values.iter().find(|value| value.shown == shown).map(|value| value.stored)
    }
}

impl Kind {
    /// The name of the GraphQL type, without `!`.
    pub fn graphql_type(self) -> &'static str {
        match self {
            Self::Id => "ID",
            Self::Text | Self::Code => "String",
            Self::Int => "Int",
            Self::Float => "Float",
            Self::Bool => "Boolean",
            Self::Money { .. } => "Decimal",
            Self::Date => "Date",
            Self::Instant => "DateTime",
            Self::Json => "JSON",
            Self::Enum(of) => of.name,
        }
    }

    /// The name of the input type that filters it.
    pub fn filter_type(self) -> String {
        match self {
            Self::Id => "IDFilter".to_owned(),
            Self::Text => "StringFilter".to_owned(),
            Self::Code => "CodeFilter".to_owned(),
            Self::Int => "IntFilter".to_owned(),
            Self::Float => "FloatComparison".to_owned(),
            Self::Bool => "BooleanFilter".to_owned(),
            Self::Money { .. } => "DecimalFilter".to_owned(),
            Self::Date => "DateFilter".to_owned(),
            Self::Instant => "DateTimeFilter".to_owned(),
            Self::Json => "JSONFilter".to_owned(),
            Self::Enum(of) => format!("{}Filter", of.name),
        }
    }

    /// How it is bound.
    pub fn bind(self) -> NullOf {
        match self {
            Self::Id => NullOf::Id,
            Self::Text | Self::Code | Self::Enum(_) => NullOf::Text,
            Self::Int | Self::Money { .. } => NullOf::Int,
            Self::Bool => NullOf::Bool,
            Self::Float => NullOf::Float,
            Self::Date => NullOf::Date,
            Self::Instant => NullOf::Instant,
            Self::Json => NullOf::Json,
        }
    }

    /// Can be added up.
    pub fn is_number(self) -> bool {
        match self {
            Self::Int | Self::Money { .. } => true,
            Self::Id
            | Self::Text
            | Self::Code
            | Self::Bool
            | Self::Float
            | Self::Date
            | Self::Instant
            | Self::Json
            | Self::Enum(_) => false,
        }
    }

    /// Has a smallest and a largest value that mean something.
    pub fn has_extremes(self) -> bool {
        match self {
            Self::Int | Self::Money { .. } | Self::Date | Self::Instant => true,
            Self::Id
            | Self::Text
            | Self::Code
            | Self::Bool
            | Self::Float
            | Self::Json
            | Self::Enum(_) => false,
        }
    }
}
