//! Building one field: `field(lead::Column::Score, Kind::Int).filter().sort()`.

use sea_orm::ColumnTrait;

use super::{Check, Default, Field, Tier, Write, camel_case};
use crate::record::checks;
use crate::record::kind::Kind;

/// One field of a declaration, `field(lead::Column::Score, Kind::Int).filter().sort()`.
pub struct FieldBuilder(pub(super) Field);

/// A field over a column; its GraphQL name is the column's in camelCase, it is required where the
/// column is NOT NULL.
pub fn field<C: ColumnTrait>(column: C, kind: Kind) -> FieldBuilder {
    let name = column.as_str();
    FieldBuilder(Field {
        name: camel_case(name),
        column: name,
        kind,
        about: "",
        nullable: column.def().is_null(),
        filter: false,
        sort: false,
        group: false,
        folded: false,
        pii: false,
        write: Write::Always,
        default: Default::None,
        check: None,
        chars_max: 255,
        range: None,
        tier: None,
    })
}

/// The currency of a record's amounts; the tenant's unless it is given.
pub fn currency_field<C: ColumnTrait>(column: C) -> FieldBuilder {
    field(column, Kind::Code)
        .filter()
        .group()
        .chars(3)
        .check(checks::currency)
        .default(Default::TenantCurrency)
        .about("ISO 4217.")
}

/// A field of a computed record.
pub fn computed_field(column: &'static str, kind: Kind, nullable: bool) -> FieldBuilder {
    FieldBuilder(Field {
        name: camel_case(column),
        column,
        kind,
        about: "",
        nullable,
        filter: false,
        sort: false,
        group: false,
        folded: false,
        pii: false,
        write: Write::Never,
        default: Default::None,
        check: None,
        chars_max: usize::MAX,
        range: None,
        tier: None,
    })
}

impl FieldBuilder {
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.0.name);
        self
    }
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.0.about = about;
        self
    }
    #[must_use]
    pub fn tier(mut self, tier: Tier) -> Self {
        self.0.tier = Some(tier);
        self
    }
    #[must_use]
    pub fn filter(mut self) -> Self {
        self.0.filter = true;
        self
    }
    #[must_use]
    pub fn sort(mut self) -> Self {
        self.0.sort = true;
        self
    }
    #[must_use]
    pub fn group(mut self) -> Self {
        self.0.group = true;
        self
    }
    #[must_use]
    pub fn folded(mut self) -> Self {
        self.0.folded = true;
        self
    }
    #[must_use]
    pub fn pii(mut self) -> Self {
        self.0.pii = true;
        self
    }
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.0.write = Write::Never;
        self
    }
    #[must_use]
    pub fn on_create(mut self) -> Self {
        self.0.write = Write::OnCreate;
        self
    }
    #[must_use]
    pub fn default(mut self, default: Default) -> Self {
        self.0.default = default;
        self
    }
    #[must_use]
    pub fn range(mut self, from: i64, to: i64) -> Self {
        self.0.range = Some((from, to));
        self
    }
    #[must_use]
    pub fn chars(mut self, max: usize) -> Self {
        self.0.chars_max = max;
        self
    }
    /// Notes and the like: as long as `limits::TEXT_CHARS_MAX`.
    #[must_use]
    pub fn long(self) -> Self {
        self.chars(crate::limits::TEXT_CHARS_MAX)
    }
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.0.check = Some(check);
        self
    }
}
