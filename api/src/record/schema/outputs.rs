//! Output types of a record, and its fields at the root.

use async_graphql::registry::{MetaDirectiveInvocation, MetaField, MetaInputValue, Registry};

use super::build::{field, input_value, object};
use crate::record::declare::{Record, RelationKind, Tier};
use crate::record::kind::Kind;

/// Registers the record, its connection and edges, aggregates and groups.
pub fn register_outputs(registry: &mut Registry, record: &Record) {
    // Reserve the name first: relations lead back here.
    registry.types.insert(record.name.to_owned(), node(record));
    let name = record.name;
    let mut add = |ty: async_graphql::registry::MetaType| {
        registry.types.insert(ty.name().to_owned(), ty);
    };
    let mut connection = vec![
        field("nodes", format!("[{name}!]!"), "The rows of this page."),
        field("edges", format!("[{name}Edge!]!"), "The rows with their cursors."),
        field("pageInfo", "PageInfo!", ""),
        field("totalCount", "Int!", "All rows that match; counted only when selected."),
        with_arguments(
            field("countUpTo", "CountUpTo!", "A cheap count that stops at a limit."),
            vec![input_value("limit", "Int!", "Where to stop, at most 100,000.")],
        ),
    ];
    if let Some(summary) = record.summary {
        let summary = summary();
        connection.push(field("summary", format!("{}!", summary.name), summary.about));
    }
    add(object(&format!("{name}Connection"), "", connection));
    add(object(
        &format!("{name}Edge"),
        "",
        vec![field("cursor", "String!", ""), field("node", format!("{name}!"), "")],
    ));
    if record.is_virtual() {
        return;
    }
    let mut measures = vec![field("count", "Int!", "How many rows.")];
    for (function, about) in [
        ("Sum", "Sums; 0 of nothing."),
        ("Avg", "Averages; null of nothing."),
        ("Min", "Smallest values; null of nothing."),
        ("Max", "Largest values; null of nothing."),
    ] {
        let type_name = format!("{name}{function}");
        let fields = measure_fields(record, function);
        if fields.is_empty() {
            continue;
        }
        add(object(&type_name, about, fields));
        measures.push(field(&function.to_lowercase(), format!("{type_name}!"), about));
    }
    add(object(&format!("{name}Aggregate"), "", measures.clone()));
    let keys: Vec<MetaField> = record
        .fields
        .iter()
        .filter(|field| field.group)
        .map(|each| field(&each.name, each.kind.graphql_type(), each.about))
        .collect();
    if keys.is_empty() {
        return;
    }
    add(object(
        &format!("{name}GroupKey"),
        "What the rows of a group have in common. Periods are given by their first day or instant.",
        keys,
    ));
    let mut group = vec![field("key", format!("{name}GroupKey!"), "")];
    group.extend(measures);
    add(object(&format!("{name}Group"), "", group));
    add(object(
        &format!("{name}GroupConnection"),
        "",
        vec![
            field("nodes", format!("[{name}Group!]!"), ""),
            field("pageInfo", "PageInfo!", ""),
            field("totalCount", "Int!", "How many groups."),
        ],
    ));
}

fn node(record: &Record) -> async_graphql::registry::MetaType {
    let mut fields: Vec<MetaField> = record
        .fields
        .iter()
        .map(|each| {
            let required = if each.nullable { "" } else { "!" };
            let mut meta =
                field(&each.name, format!("{}{required}", each.kind.graphql_type()), each.about);
            meta.directive_invocations.extend(each.tier.map(tier_invocation));
            meta
        })
        .collect();
    for relation in &record.relations {
        let target = (relation.target)();
        fields.push(match relation.kind {
            // A related row may be deleted or out of the caller's scope: null, with no hint.
            RelationKind::One { .. } => field(relation.name, target.name, relation.about),
            RelationKind::Many { .. } => with_arguments(
                field(relation.name, format!("{}Connection!", target.name), relation.about),
                list_arguments(target),
            ),
        });
    }
    for computed in &record.computed {
        fields.push(field(computed.name, computed.graphql_type, computed.about));
    }
    if !record.is_virtual() {
        fields.push(field("viewerCan", "ViewerCan!", "What the caller may do to this row."));
    }
    object(record.name, record.about, fields)
}

/// Registers what the lists of a computed record say beside their rows.
pub fn register_summary(registry: &mut Registry, summary: &Record) {
    registry.types.insert(summary.name.to_owned(), node(summary));
}

/// `@tier(of: LIVE, seconds: 0)`
fn tier_invocation(tier: Tier) -> MetaDirectiveInvocation {
    let of = async_graphql::Value::Enum(async_graphql::Name::new(tier.graphql_name()));
    let seconds = async_graphql::Value::from(tier.seconds());
    let args = [("of".to_owned(), of), ("seconds".to_owned(), seconds)];
    MetaDirectiveInvocation { name: "tier".to_owned(), args: args.into_iter().collect() }
}

fn measure_fields(record: &Record, function: &str) -> Vec<MetaField> {
    let mut fields = Vec::new();
    for each in record.fields.iter().filter(|field| field.filter) {
        let of = match (function, each.kind) {
            ("Sum", Kind::Int) => "BigInt",
            ("Avg", Kind::Int) => "Float",
            ("Sum" | "Avg", kind) if !kind.is_number() => continue,
            (_, kind) if !kind.has_extremes() => continue,
            (_, kind) => kind.graphql_type(),
        };
        fields.push(field(&each.name, of, each.about));
        if matches!(each.kind, Kind::Money { .. }) {
            fields.push(field(
                &format!("{}AsFloat", each.name),
                "Float",
                "The same as a JSON number, for charts.",
            ));
        }
    }
    fields
}

/// Arguments of every connection.
pub(super) fn list_arguments(record: &Record) -> Vec<MetaInputValue> {
    let name = record.name;
    let about = if record.comes_whole() {
        "Only so many rows; all of them by default, up to 50,000."
    } else {
        "Rows of the page, 50 by default, 1,000 at most."
    };
    let mut arguments = vec![input_value("first", "Int", about)];
    arguments
        .extend(record.arguments.iter().map(|(name, of, about)| input_value(name, *of, about)));
    if record.comes_whole() {
        return arguments;
    }
    arguments.extend([
        input_value("after", "String", "Continue after this cursor."),
        input_value("last", "Int", "As first, from the end of the list."),
        input_value("before", "String", "Continue before this cursor."),
        input_value("filter", format!("{name}Filter"), ""),
        input_value("orderBy", format!("[{name}Order!]"), ""),
    ]);
    arguments.extend(search_argument(record));
    arguments.extend(deleted_argument(record));
    arguments
}

fn search_argument(record: &Record) -> Option<MetaInputValue> {
    let about = "Words, or parts of words; accents and case do not matter. Better fits come first \
                 unless orderBy says otherwise. When nothing contains them, similar words match.";
    (!record.searched.is_empty()).then(|| input_value("search", "String", about))
}

fn deleted_argument(record: &Record) -> Option<MetaInputValue> {
    record.soft_delete.then(|| input_value("deleted", "Deleted", "EXCLUDE by default."))
}

pub(super) fn with_arguments(mut field: MetaField, arguments: Vec<MetaInputValue>) -> MetaField {
    field.args = arguments.into_iter().map(|each| (each.name.clone(), each)).collect();
    field
}

/// `leads`, `lead`, `leadAggregate`, `leadGroups`.
pub fn root_fields(record: &Record) -> Vec<MetaField> {
    let (name, about) = (record.name, record.about);
    let list = with_arguments(
        field(record.plural, format!("{name}Connection!"), about),
        list_arguments(record),
    );
    if record.is_virtual() {
        return vec![list];
    }
    let filters = || {
        let mut arguments = vec![input_value("filter", format!("{name}Filter"), "")];
        arguments.extend(search_argument(record));
        arguments.extend(deleted_argument(record));
        arguments
    };
    let mut by_id = vec![input_value("id", "ID!", "")];
    by_id.extend(deleted_argument(record));
    let mut fields = vec![
        list,
        with_arguments(field(record.singular, format!("{name}!"), about), by_id),
        with_arguments(
            field(&format!("{}Aggregate", record.singular), format!("{name}Aggregate!"), ""),
            filters(),
        ),
    ];
    if record.fields.iter().any(|field| field.group) {
        let mut arguments = vec![input_value("by", format!("[{name}GroupBy!]!"), "")];
        arguments.extend(filters());
        arguments.extend([
            input_value("having", format!("{name}Having"), "Keeps only groups that match."),
            input_value("orderBy", format!("[{name}GroupOrder!]"), "By key unless said otherwise."),
            input_value("first", "Int", "Groups of the page, 50 by default, 1,000 at most."),
            input_value("after", "String", "Continue after this cursor."),
        ]);
        fields.push(with_arguments(
            field(&format!("{}Groups", record.singular), format!("{name}GroupConnection!"), ""),
            arguments,
        ));
    }
    fields
}
