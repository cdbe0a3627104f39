//! A record's declaration: the only place that knows GraphQL name <-> column <-> relation.

use std::future::Future;
use std::pin::Pin;

use sea_orm::{ColumnTrait, EntityTrait};

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
    /// Rows are marked deleted rather than removed (`deleted_at`).
    pub soft_delete: bool,
    /// Columns that `search` looks at; empty when the record cannot be searched.
    pub searched: Vec<&'static str>,
    pub source: Source,
    /// Arguments of a computed record's list: name, GraphQL type, description.
    pub arguments: &'static [(&'static str, &'static str, &'static str)],
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
pub type ComputeRows = for<'a> fn(
    &'a Ctx,
    &'a Conn,
    &'a [(String, async_graphql::Value)],
) -> Pin<Box<dyn Future<Output = Result<Vec<Vec<Value>>>> + Send + 'a>>;

/// How a row finds the user it belongs to, for the row scopes `own`, `team` and `org_unit`.
#[derive(Debug, Clone, Copy)]
pub enum OwnerPath {
    /// Belongs to nobody in particular: any scope reads it.
    Everybody,
    Column(&'static str),
    /// Through a to-one relation, by its GraphQL name.
    Through(&'static str),
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
pub type ComputeField = for<'a> fn(
    &'a Ctx,
    &'a Conn,
    &'a [Vec<Value>],
)
    -> Pin<Box<dyn Future<Output = Result<Vec<String>>> + Send + 'a>>;

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

/// Begins a declaration over a SeaORM entity.
pub fn declare<E: EntityTrait>(
    name: &'static str,
    singular: &'static str,
    plural: &'static str,
    resource: Resource,
) -> Record {
    Record {
        name,
        singular,
        plural,
        about: "",
        table: E::default().table_name(),
        resource,
        fields: Vec::new(),
        relations: Vec::new(),
        computed: Vec::new(),
        owner: OwnerPath::Everybody,
        soft_delete: false,
        searched: Vec::new(),
        source: Source::Table,
        arguments: &[],
        changes: Changes::default(),
        default_order: ("createdAt", true),
    }
}

/// `expected_close_date` -> `expectedCloseDate`.
pub fn camel_case(snake: &str) -> String {
    let mut camel = String::with_capacity(snake.len());
    let mut upper = false;
    for character in snake.chars() {
        if character == '_' {
            upper = true;
        } else if upper {
            camel.push(character.to_ascii_uppercase());
            upper = false;
        } else {
            camel.push(character);
        }
    }
    camel
}

/// `expectedCloseDate` -> `EXPECTED_CLOSE_DATE`.
pub fn screaming_case(camel: &str) -> String {
    let mut screaming = String::with_capacity(camel.len() + 4);
    for character in camel.chars() {
        if character.is_ascii_uppercase() {
            screaming.push('_');
        }
        screaming.push(character.to_ascii_uppercase());
    }
    screaming
}

/// One field of a declaration, `field(lead::Column::Score, Kind::Int).filter().sort()`.
pub struct FieldBuilder(Field);

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
    })
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
    })
}

/// Begins the declaration of a record whose rows are computed.
pub fn declare_computed(
    name: &'static str,
    plural: &'static str,
    resource: Resource,
    compute: ComputeRows,
) -> Record {
    Record {
        name,
        singular: plural,
        plural,
        about: "",
        table: "",
        resource,
        fields: Vec::new(),
        relations: Vec::new(),
        computed: Vec::new(),
        owner: OwnerPath::Everybody,
        soft_delete: false,
        searched: Vec::new(),
        source: Source::Computed(compute),
        arguments: &[],
        changes: Changes::default(),
        default_order: ("", false),
    }
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

impl Record {
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    #[must_use]
    pub fn field(mut self, field: FieldBuilder) -> Self {
        self.fields.push(field.0);
        self
    }

    /// What every changeable record has: id, times and version.
    #[must_use]
    pub fn stamped<C: ColumnTrait>(self, id: C, times: [C; 3], version: C) -> Self {
        let [created_at, updated_at, deleted_at] = times;
        self.field(field(id, Kind::Id).filter().read_only())
            .field(
                field(created_at, Kind::Instant).filter().sort().group().read_only(),
            )
            .field(field(updated_at, Kind::Instant).filter().sort().read_only())
            .field(
                field(deleted_at, Kind::Instant)
                    .filter()
                    .read_only()
                    .about("Set while the row is deleted; deleted rows are hidden unless asked for."),
            )
            .field(
                field(version, Kind::Int)
                    .read_only()
                    .about("Grows with each change; give it back as expectedVersion."),
            )
            .soft_delete()
    }

    /// Where a row of another system comes from; together they name it (upsert, import).
    #[must_use]
    pub fn external<C: ColumnTrait>(self, system: C, id: C) -> Self {
        self.field(field(system, Kind::Code).filter().chars(50))
            .field(field(id, Kind::Code).filter().chars(200))
    }

    /// A to-one relation of a computed record.
    #[must_use]
    pub fn one_by(
        mut self,
        name: &'static str,
        column: &'static str,
        target: fn() -> &'static Record,
    ) -> Self {
        let kind = RelationKind::One { column, nullable: true };
        self.relations.push(Relation { name, about: "", target, kind });
        self
    }

    #[must_use]
    pub fn arguments(
        mut self,
        arguments: &'static [(&'static str, &'static str, &'static str)],
    ) -> Self {
        self.arguments = arguments;
        self
    }

    /// A to-one relation named by the column without `_id` (or as given).
    #[must_use]
    pub fn one<C: ColumnTrait>(
        mut self,
        name: &'static str,
        column: C,
        target: fn() -> &'static Record,
        about: &'static str,
    ) -> Self {
        let nullable = column.def().is_null();
        let column = column.as_str();
        self.relations.push(Relation {
            name,
            about,
            target,
            kind: RelationKind::One { column, nullable },
        });
        self
    }

    #[must_use]
    pub fn many<C: ColumnTrait>(
        mut self,
        name: &'static str,
        column: C,
        target: fn() -> &'static Record,
        on_destroy: OnDestroy,
    ) -> Self {
        let column = column.as_str();
        self.relations.push(Relation {
            name,
            about: "",
            target,
            kind: RelationKind::Many { column, on_destroy },
        });
        self
    }

    #[must_use]
    pub fn computed(mut self, computed: Computed) -> Self {
        self.computed.push(computed);
        self
    }

    #[must_use]
    pub fn owned_by(mut self, owner: OwnerPath) -> Self {
        self.owner = owner;
        self
    }

    #[must_use]
    pub fn soft_delete(mut self) -> Self {
        self.soft_delete = true;
        self
    }

    #[must_use]
    pub fn searched(mut self, columns: &[&'static str]) -> Self {
        self.searched = columns.to_vec();
        self
    }

    #[must_use]
    pub fn ordered_by(mut self, field: &'static str, descending: bool) -> Self {
        self.default_order = (field, descending);
        self
    }

    #[must_use]
    pub fn changes(mut self, changes: Changes) -> Self {
        self.changes = changes;
        self
    }

    pub fn find_field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub fn find_relation(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name == name)
    }

    pub fn find_computed(&self, name: &str) -> Option<(usize, &Computed)> {
        self.computed.iter().enumerate().find(|(_, computed)| computed.name == name)
    }

    pub fn is_virtual(&self) -> bool {
        matches!(self.source, Source::Computed(_))
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
