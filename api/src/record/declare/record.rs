//! Building a record's declaration.

use sea_orm::{ColumnTrait, EntityTrait};

use super::{
    Changes, CompanyPath, ComputeRows, Computed, Field, FieldBuilder, OnDestroy, OwnerPath, Record,
    Relation, RelationKind, Source, field,
};
use crate::access::Resource;
use crate::record::kind::{EnumType, Kind};

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
        company: CompanyPath::Nowhere,
        soft_delete: false,
        searched: Vec::new(),
        source: Source::Table,
        reads: &[],
        arguments: &[],
        enums: Vec::new(),
        listed: false,
        summary: None,
        changes: Changes::default(),
        default_order: ("createdAt", true),
    }
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
        company: CompanyPath::Nowhere,
        soft_delete: false,
        searched: Vec::new(),
        source: Source::Computed(compute),
        reads: &[],
        arguments: &[],
        enums: Vec::new(),
        listed: false,
        summary: None,
        changes: Changes::default(),
        default_order: ("", false),
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
            .field(field(created_at, Kind::Instant).filter().sort().group().read_only())
            .field(field(updated_at, Kind::Instant).filter().sort().read_only())
            .field(
                field(deleted_at, Kind::Instant).filter().read_only().about(
                    "Set while the row is deleted; deleted rows are hidden unless asked for.",
                ),
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

    /// Enums that arguments name and no field holds.
    #[must_use]
    pub fn enums(mut self, enums: &[&'static EnumType]) -> Self {
        self.enums = enums.to_vec();
        self
    }

    /// Lists of this computed record are filtered, ordered and paged; in this order unless asked
    /// otherwise.
    #[must_use]
    pub fn listed(mut self, field: &'static str, descending: bool) -> Self {
        self.listed = true;
        self.ordered_by(field, descending)
    }

    #[must_use]
    pub fn summarised(mut self, summary: fn() -> &'static Record) -> Self {
        self.summary = Some(summary);
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
    pub fn of_company(mut self, company: CompanyPath) -> Self {
        self.company = company;
        self
    }

    /// The fields of its resource that a computed record is made of.
    #[must_use]
    pub fn reads(mut self, fields: &'static [&'static str]) -> Self {
        self.reads = fields;
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

    /// Rows for charts, which have no pages: all of them come unless fewer are asked for.
    pub fn comes_whole(&self) -> bool {
        self.is_virtual() && !self.listed
    }

    /// Every enum of its fields and arguments.
    pub fn enum_types(&self) -> impl Iterator<Item = &'static EnumType> {
        self.fields.iter().filter_map(Field::enum_type).chain(self.enums.iter().copied())
    }

    pub fn is_virtual(&self) -> bool {
        matches!(self.source, Source::Computed(_))
    }
}
