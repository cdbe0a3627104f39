//! A record's declaration: the only place that knows GraphQL name <-> column <-> relation.

mod field;
mod names;
mod record;

use std::future::Future;
use std::pin::Pin;

pub use field::{FieldBuilder, computed_field, currency_field, field};
pub use names::{camel_case, screaming_case};
pub use record::{declare, declare_computed};

use super::kind::{EnumType, Kind};
use crate::access::Resource;
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::Result;

/// Everything the engine knows of one kind of record.
pub struct Record {
    /// GraphQL type, `Lead`.
    pub name: &'static str,
    /// Root field for one, `lead`.
    pub singular: &'static str,
    /// Root field for many, `leads`.
    pub plural: &'static str,
    pub about: &'static str,
    pub table: &'static str,
    pub resource: Resource,
    pub fields: Vec<Field>,
    pub relations: Vec<Relation>,
    pub computed: Vec<Computed>,
    pub owner: OwnerPath,
    pub company: CompanyPath,
    /// Rows are marked deleted rather than removed (`deleted_at`).
    pub soft_delete: bool,
    /// Columns that `search` looks at; empty when the record cannot be searched.
    pub searched: Vec<&'static str>,
    pub source: Source,
    /// Fields of its resource that a computed record is made of: who may not read them all may not
    /// read what follows from them.
    pub reads: &'static [&'static str],
    /// Arguments of a computed record's list: name, GraphQL type, description.
    pub arguments: &'static [(&'static str, &'static str, &'static str)],
    /// Enums that only arguments name.
    pub enums: Vec<&'static EnumType>,
    /// A computed record whose lists are filtered, ordered, searched and paged like those of tables.
    /// It has a field `id` that names a row within its list.
    pub listed: bool,
    /// What a computed record's lists say beside their rows, in the field `summary`.
    pub summary: Option<fn() -> &'static Record>,
    pub changes: Changes,
    /// GraphQL field that lists are ordered by when the caller names none; ties by id.
    pub default_order: (&'static str, bool),
}

/// Where rows come from.
pub enum Source {
    Table,
    /// Rows computed by a function (rankings, summaries); values in the order of `fields`.
    Computed(ComputeRows),
}

/// Rows of a virtual record.
pub type ComputeRows =
    for<'a> fn(&'a Ctx, &'a Conn, &'a [(String, async_graphql::Value)]) -> ComputedRows<'a>;

/// Rows to come.
pub type ComputedRows<'a> = Pin<Box<dyn Future<Output = Result<Computation>> + Send + 'a>>;

/// Rows of a virtual record. Values are asked for one by one: of many rows that are put in order, few
/// are shown.
pub trait Rows: Send + Sync {
    fn count(&self) -> usize;

    /// The value of a field, by its place in the declaration; `None` where there is none.
    fn value(&self, row: usize, field: usize) -> Option<Value>;
}

/// Each with its values in the order of the record's fields.
impl Rows for Vec<Vec<Value>> {
    fn count(&self) -> usize {
        self.len()
    }

    fn value(&self, row: usize, field: usize) -> Option<Value> {
        self.get(row)?.get(field).cloned()
    }
}

/// What a virtual record's function found.
pub struct Computation {
    pub rows: Box<dyn Rows>,
    /// Values of the record's summary, in the order of its fields.
    pub summary: Option<Vec<Value>>,
    /// How fresh the parts of it are that were kept.
    pub freshness: Vec<Freshness>,
}

impl From<Vec<Vec<Value>>> for Computation {
    fn from(rows: Vec<Vec<Value>>) -> Self {
        Self { rows: Box::new(rows), summary: None, freshness: Vec::new() }
    }
}

impl std::default::Default for Computation {
    fn default() -> Self {
        Vec::new().into()
    }
}

/// How old a field's value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Kept for half an hour, unless it changes.
    Static,
    /// Kept for ten minutes, unless it changes.
    Annual,
    /// Never kept.
    Live,
}

impl Tier {
    pub const ALL: [Self; 3] = [Self::Static, Self::Annual, Self::Live];

    /// Its value in the directive `@tier`.
    pub fn graphql_name(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::Annual => "ANNUAL",
            Self::Live => "LIVE",
        }
    }

    /// Seconds that values are kept at most.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Static => 30 * 60,
            Self::Annual => 10 * 60,
            Self::Live => 0,
        }
    }
}

/// Where the values of a tier came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    pub tier: Tier,
    pub found: Found,
    pub age_s: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Hit,
    Miss,
    /// Read anew although it was kept, or because it never is.
    Bypass,
}

impl Found {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "HIT",
            Self::Miss => "MISS",
            Self::Bypass => "BYPASS",
        }
    }
}

/// How a row finds the user it belongs to, for the row scopes `own`, `team` and `org_unit`.
#[derive(Debug, Clone, Copy)]
pub enum OwnerPath {
    /// Belongs to nobody in particular: any scope reads it.
    Everybody,
    /// Belongs to the tenant as a whole: only whoever reaches all rows reads it.
    Nobody,
    Column(&'static str),
    /// Through a to-one relation, by its GraphQL name.
    Through(&'static str),
}

/// How a row finds the company it belongs to, for the row scope `company`.
#[derive(Debug, Clone, Copy)]
pub enum CompanyPath {
    /// Belongs to no company: somebody from outside sees no row.
    Nowhere,
    Column(&'static str),
    /// Through a to-one relation, by its GraphQL name.
    Through(&'static str),
}

/// A step of a path, be it an owner's or a company's.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    Column(&'static str),
    Through(&'static str),
}

impl OwnerPath {
    pub fn way(self) -> Option<Way> {
        match self {
            Self::Everybody | Self::Nobody => None,
            Self::Column(column) => Some(Way::Column(column)),
            Self::Through(relation) => Some(Way::Through(relation)),
        }
    }
}

impl CompanyPath {
    pub fn way(self) -> Option<Way> {
        match self {
            Self::Nowhere => None,
            Self::Column(column) => Some(Way::Column(column)),
            Self::Through(relation) => Some(Way::Through(relation)),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub column: &'static str,
    pub kind: Kind,
    pub about: &'static str,
    pub nullable: bool,
    pub filter: bool,
    pub sort: bool,
    pub group: bool,
    /// Has a twin column `<column>_folded` (lower case, no accents) for order and matching.
    pub folded: bool,
    pub pii: bool,
    pub write: Write,
    pub default: Default,
    pub check: Option<Check>,
    /// Characters of a text, at most.
    pub chars_max: usize,
    /// Smallest and largest value of a number.
    pub range: Option<(i64, i64)>,
    /// How old its value may be, where it is not read with every answer.
    pub tier: Option<Tier>,
}

/// Brings an input value into its normal form, or refuses it.
pub type Check = fn(Value) -> Result<Value>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Never,
    OnCreate,
    Always,
}

/// The value of a field that a create leaves out.
#[derive(Debug, Clone)]
pub enum Default {
    /// Null, or refused when the column does not allow it.
    None,
    Value(Value),
    /// `{}`.
    EmptyObject,
    /// The caller.
    CurrentUser,
    /// The tenant's currency.
    TenantCurrency,
    Now,
    /// The day it is now, by the tenant's calendar.
    Today,
}

pub struct Relation {
    pub name: &'static str,
    pub about: &'static str,
    pub target: fn() -> &'static Record,
    pub kind: RelationKind,
}

#[derive(Debug, Clone, Copy)]
pub enum RelationKind {
    /// Our column holds the other record's id.
    One { column: &'static str, nullable: bool },
    /// The other record's column holds our id. `on_destroy` says what happens to those rows.
    Many { column: &'static str, on_destroy: OnDestroy },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDestroy {
    /// Refused while such rows exist.
    Restrict,
    Cascade,
    /// Their column is cleared.
    Clear,
}

/// A field computed for a whole level at once, once per level.
pub struct Computed {
    pub name: &'static str,
    pub about: &'static str,
    /// The GraphQL type, with `!` where it is never null.
    pub graphql_type: &'static str,
    /// Columns that the function needs, in this order, from index 0 of each row it is given.
    pub needs: &'static [&'static str],
    pub resolve: ComputeField,
}

/// Values of a computed field, one finished JSON text per row.
pub type ComputeField =
    for<'a> fn(
        &'a Ctx,
        &'a Conn,
        &'a [Vec<Value>],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<String>>> + Send + 'a>>;

/// What may be changed, and what a change tells the world.
#[derive(Default, Clone)]
pub struct Changes {
    /// False: read-only through the engine.
    pub enabled: bool,
    /// Sets of GraphQL fields that name a row from outside, for upsert and import.
    pub natural_keys: Vec<&'static [&'static str]>,
    /// Events are `<module>` and `<noun>.created` and so on.
    pub emits: Option<(&'static str, &'static str)>,
    pub status: Option<StatusMachine>,
    /// Refuses or completes a row before it is written.
    pub before: Option<super::change::Rule>,
    /// Writes what belongs to the row, after it.
    pub after: Option<super::change::Rule>,
    /// Carries on what follows from rows that were written, in whatever way.
    pub follows: Option<super::change::Follow>,
    /// Columns that an import may leave out when it gives another one, which `before` then takes
    /// them from: the column, and the one given.
    pub inferred: Vec<(&'static str, &'static str)>,
    /// Rows without a record of their own that go when a row is destroyed: table and column.
    pub dependents: Vec<(&'static str, &'static str)>,
    /// Mutations beyond the engine's own.
    pub verbs: &'static [super::change::verb::Verb],
}

/// Allowed moves of a status field; imports may set any.
#[derive(Debug, Clone, Copy)]
pub struct StatusMachine {
    /// GraphQL name of the field.
    pub field: &'static str,
    pub moves: fn(from: &str, to: &str) -> bool,
}

impl Changes {
    /// The column that an import may give instead of this one.
    pub fn infers(&self, column: &str) -> Option<&'static str> {
        self.inferred.iter().find(|(inferred, _)| *inferred == column).map(|(_, from)| *from)
    }
}

impl Field {
    /// The column that orders and compares text: the folded twin where there is one.
    pub fn sort_column(&self) -> String {
        if self.folded { format!("{}_folded", self.column) } else { self.column.to_owned() }
    }

    /// `EXPECTED_CLOSE_DATE`.
    pub fn enum_name(&self) -> String {
        screaming_case(&self.name)
    }

    pub fn enum_type(&self) -> Option<&'static EnumType> {
        match self.kind {
            Kind::Enum(of) => Some(of),
            Kind::Id
            | Kind::Text
            | Kind::Code
            | Kind::Int
            | Kind::Float
            | Kind::Bool
            | Kind::Money { .. }
            | Kind::Date
            | Kind::Instant
            | Kind::Json => None,
        }
    }
}
