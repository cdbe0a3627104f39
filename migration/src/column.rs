//! One column of a table, in the words of `table.rs`.

use crate::dialect::Dialect;

/// What a column holds; `Text` with its limit in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Text(u16),
    LongText,
    Int,
    /// Also money: hundredths of the row's currency.
    BigInt,
    Bool,
    Instant,
    Date,
    Json,
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) default: Option<&'static str>,
    pub(crate) check: Option<String>,
    pub(crate) references: Option<&'static str>,
    pub(crate) folded: bool,
    pub(crate) indexed: bool,
    pub(crate) json_indexed: bool,
}

fn column(name: &str, kind: Kind, required: bool) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        required,
        default: None,
        check: None,
        references: None,
        folded: false,
        indexed: false,
        json_indexed: false,
    }
}

/// A column that is never null.
pub(crate) fn required(name: &str, kind: Kind) -> Column {
    column(name, kind, true)
}

/// A column that may be null.
pub(crate) fn optional(name: &str, kind: Kind) -> Column {
    column(name, kind, false)
}

impl Column {
    /// A constant in SQL; never a function, because the application binds times and ids.
    pub(crate) fn default(mut self, literal: &'static str) -> Self {
        self.default = Some(literal);
        self
    }

    pub(crate) fn one_of(mut self, values: &[&str]) -> Self {
        self.check = Some(format!("{} IN ('{}')", self.name, values.join("', '")));
        self
    }

    pub(crate) fn at_least(mut self, lowest: i64) -> Self {
        self.check = Some(format!("{} >= {lowest}", self.name));
        self
    }

    pub(crate) fn between(mut self, lowest: i64, highest: i64) -> Self {
        self.check = Some(format!("{} BETWEEN {lowest} AND {highest}", self.name));
        self
    }

    /// Points at a row of the same tenant, and is indexed.
    pub(crate) fn references(mut self, table: &'static str) -> Self {
        self.references = Some(table);
        self.indexed = true;
        self
    }

    /// Has a twin `{name}_folded` without accents and capitals, for order and comparison.
    pub(crate) fn folded(mut self) -> Self {
        self.folded = true;
        self
    }

    /// Has an index (tenant, this column or its folded twin, id).
    pub(crate) fn sorted(mut self) -> Self {
        self.indexed = true;
        self
    }

    /// JSON that is asked "has this key".
    pub(crate) fn json_indexed(mut self) -> Self {
        self.json_indexed = true;
        self
    }

    fn folded_name(&self) -> String {
        format!("{}_folded", self.name)
    }

    pub(crate) fn sort_name(&self) -> String {
        if self.folded { self.folded_name() } else { self.name.clone() }
    }

    pub(crate) fn twin(&self) -> Option<Self> {
        self.folded.then(|| column(&self.folded_name(), Kind::LongText, self.required))
    }

    pub(crate) fn definition(&self, dialect: Dialect) -> String {
        let kind = dialect.column_type(self.kind);
        let null = if self.required { " NOT NULL" } else { "" };
        let default = self.default.map(|literal| format!(" DEFAULT {literal}")).unwrap_or_default();
        format!("{} {kind}{null}{default}", self.name)
    }
}
