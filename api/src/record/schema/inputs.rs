//! Input types of a record: filter, order, groups.

use async_graphql::registry::{MetaInputValue, Registry};

use super::build::{enum_type, input_object, input_value, plain_enum};
use super::scalars::enum_filter;
use crate::record::declare::{Field, Record, RelationKind};
use crate::record::kind::Kind;

/// Registers everything that a query may say about a record.
pub fn register_inputs(registry: &mut Registry, record: &Record) {
    register_list_inputs(registry, record);
    let name = record.name;
    let mut add = |ty: async_graphql::registry::MetaType| {
        registry.types.entry(ty.name().to_owned()).or_insert(ty);
    };
    if record.relations.iter().any(|relation| matches!(relation.kind, RelationKind::Many { .. })) {
        for relation in &record.relations {
            if let RelationKind::Many { .. } = relation.kind {
                add(many_filter((relation.target)()));
            }
        }
    }
    if record.fields.iter().any(|field| field.group) {
        add(field_enum(&format!("{name}GroupField"), record, |field| field.group));
        add(group_by(name));
        add(group_order(name));
        add(field_enum(&format!("{name}MeasureField"), record, |field| {
            field.group || (field.filter && field.kind.has_extremes())
        }));
        add(having(record));
        for function in ["Sum", "Avg", "Min", "Max"] {
            let fields = having_fields(record, function);
            if !fields.is_empty() {
                add(input_object(&format!("{name}Having{function}"), "", fields));
            }
        }
    }
}

/// Registers what a list may be narrowed and ordered by.
pub fn register_list_inputs(registry: &mut Registry, record: &Record) {
    let name = record.name;
    let mut add = |ty: async_graphql::registry::MetaType| {
        registry.types.entry(ty.name().to_owned()).or_insert(ty);
    };
    add(input_object(&format!("{name}Filter"), "All that is given must hold.", filter(record)));
    add(input_object(
        &format!("{name}Order"),
        "Exactly one field, or one relation with an order of its own.",
        order(record),
    ));
    add(field_enum(&format!("{name}OrderField"), record, |field| field.sort));
    for field in record.fields.iter().filter(|field| field.filter) {
        if let Some(of) = field.enum_type() {
            add(enum_type(of));
            add(enum_filter(of.name));
        }
    }
}

fn filter(record: &Record) -> Vec<MetaInputValue> {
    let own = format!("{}Filter", record.name);
    let mut values = vec![
        input_value("and", format!("[{own}!]"), ""),
        input_value("or", format!("[{own}!]"), ""),
        input_value("not", own, "The complement: rows for which this does not hold."),
    ];
    for field in record.fields.iter().filter(|field| field.filter) {
        values.push(input_value(&field.name, field.kind.filter_type(), field.about));
    }
    // Rows that a function computes are filtered and ordered by what they hold themselves.
    for relation in record.relations.iter().filter(|_| !record.is_virtual()) {
        let target = (relation.target)().name;
        values.push(match relation.kind {
            RelationKind::One { .. } => {
                input_value(relation.name, format!("{target}Filter"), relation.about)
            }
            RelationKind::Many { .. } => {
                input_value(relation.name, format!("{target}ManyFilter"), relation.about)
            }
        });
    }
    values
}

fn many_filter(target: &Record) -> async_graphql::registry::MetaType {
    let inner = format!("{}Filter", target.name);
    input_object(
        &format!("{}ManyFilter", target.name),
        "",
        vec![
            input_value("some", inner.clone(), "At least one matches."),
            input_value("every", inner.clone(), "All match; also when there is none."),
            input_value("none", inner, "None matches."),
        ],
    )
}

fn order(record: &Record) -> Vec<MetaInputValue> {
    let mut values = vec![
        input_value("field", format!("{}OrderField", record.name), ""),
        input_value("direction", "OrderDirection", "ASC by default."),
        input_value("nulls", "NullsOrder", "LAST by default, in both directions."),
    ];
    for relation in record.relations.iter().filter(|_| !record.is_virtual()) {
        if let RelationKind::One { .. } = relation.kind {
            let target = (relation.target)().name;
            values.push(input_value(relation.name, format!("{target}Order"), relation.about));
        }
    }
    values
}

fn field_enum(
    name: &str,
    record: &Record,
    wanted: impl Fn(&Field) -> bool,
) -> async_graphql::registry::MetaType {
    plain_enum(
        name,
        "",
        record
            .fields
            .iter()
            .filter(|field| wanted(field))
            .map(|field| (field.enum_name(), field.about)),
    )
}

fn group_by(name: &str) -> async_graphql::registry::MetaType {
    input_object(
        &format!("{name}GroupBy"),
        "",
        vec![
            input_value("field", format!("{name}GroupField!"), ""),
            input_value("bucket", "DateBucket", "For dates and instants; DAY by default."),
            input_value(
                "timeZone",
                "String",
                "IANA name whose calendar cuts the periods; the tenant's zone by default.",
            ),
        ],
    )
}

fn group_order(name: &str) -> async_graphql::registry::MetaType {
    input_object(
        &format!("{name}GroupOrder"),
        "",
        vec![
            input_value("by", "GroupOrderBy!", "COUNT needs no field."),
            input_value("field", format!("{name}MeasureField"), ""),
            input_value("direction", "OrderDirection", "ASC by default."),
            input_value("nulls", "NullsOrder", "LAST by default."),
        ],
    )
}

fn having(record: &Record) -> async_graphql::registry::MetaType {
    let mut values = vec![input_value("count", "IntComparison", "")];
    for function in ["Sum", "Avg", "Min", "Max"] {
        if !having_fields(record, function).is_empty() {
            values.push(input_value(
                &function.to_lowercase(),
                format!("{}Having{function}", record.name),
                "",
            ));
        }
    }
    input_object(&format!("{}Having", record.name), "", values)
}

fn having_fields(record: &Record, function: &str) -> Vec<MetaInputValue> {
    record
        .fields
        .iter()
        .filter(|field| field.filter)
        .filter_map(|field| {
            let of = match (function, field.kind) {
                ("Avg", Kind::Int) => "FloatComparison",
                (_, Kind::Int) => "IntComparison",
                (_, Kind::Money { .. }) => "DecimalComparison",
                ("Min" | "Max", Kind::Date) => "DateComparison",
                ("Min" | "Max", Kind::Instant) => "DateTimeComparison",
                _ => return None,
            };
            Some(input_value(&field.name, of, ""))
        })
        .collect()
}
