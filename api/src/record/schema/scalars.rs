//! Types that all records share: scalars, operator sets, paging.

use async_graphql::registry::{__DirectiveLocation, MetaDirective, MetaType, Registry};

use super::build::{field, input_object, input_value, object, plain_enum};
use crate::db::dialect::Bucket;
use crate::record::declare::Tier;

/// Registers the types that every record's types name.
pub fn register_shared(registry: &mut Registry) {
    let mut add = |ty: MetaType| {
        registry.types.entry(ty.name().to_owned()).or_insert(ty);
    };
    for (name, about, url) in SCALARS {
        add(scalar(name, about, url));
    }
    add(object(
        "PageInfo",
        "Where a page stands in its list (Relay connections).",
        vec![
            field("hasNextPage", "Boolean!", ""),
            field(
                "hasPreviousPage",
                "Boolean!",
                "When paging forward: whether a cursor was given.",
            ),
            field("startCursor", "String", ""),
            field("endCursor", "String", ""),
        ],
    ));
    add(object(
        "CountUpTo",
        "A count that stopped at its limit, or did not have to.",
        vec![
            field("count", "Int!", ""),
            field("isExact", "Boolean!", "False: there are more than the limit."),
        ],
    ));
    add(object(
        "ViewerCan",
        "What the caller may do to this row.",
        ["update", "delete", "restore", "destroy"]
            .iter()
            .map(|name| field(name, "Boolean!", ""))
            .collect(),
    ));
    add(object(
        "MutationError",
        "Why one row of a batch was refused.",
        vec![
            field("code", "String!", "One of the closed list of codes."),
            field("message", "String!", ""),
            field("field", "String", "The input that is wrong."),
        ],
    ));
    for (name, about, values) in ENUMS {
        add(plain_enum(name, about, values.iter().map(|value| ((*value).to_owned(), ""))));
    }
    add(plain_enum(
        "DateBucket",
        "Calendar periods; weeks begin on Monday (ISO 8601).",
        Bucket::ALL.iter().map(|bucket| (bucket.graphql_name().to_owned(), "")),
    ));
    for filter in filters() {
        add(filter);
    }
    register_tier(registry);
}

/// `@tier`, and what it names.
fn register_tier(registry: &mut Registry) {
    let tier = plain_enum(
        "Tier",
        "How old a value may be: kept for half an hour, for ten minutes, never; all of them unless \
         it changes.",
        Tier::ALL.iter().map(|tier| (tier.graphql_name().to_owned(), "")),
    );
    registry.types.entry(tier.name().to_owned()).or_insert(tier);
    registry.add_directive(MetaDirective {
        name: "tier".to_owned(),
        description: Some(
            "How old the value of a field may be, and for how many seconds.".to_owned(),
        ),
        locations: vec![__DirectiveLocation::FIELD_DEFINITION],
        args: [input_value("of", "Tier!", ""), input_value("seconds", "Int!", "")]
            .into_iter()
            .map(|each| (each.name.clone(), each))
            .collect(),
        is_repeatable: false,
        visible: None,
        composable: None,
    });
}

const SCALARS: [(&str, &str, &str); 6] = [
    ("ID", "A UUID in its text form.", "https://www.rfc-editor.org/rfc/rfc9562"),
    (
        "DateTime",
        "An instant: RFC 3339 text, shown in UTC with Z; inputs also take epoch milliseconds.",
        "https://www.rfc-editor.org/rfc/rfc3339",
    ),
    ("Date", "A calendar date, YYYY-MM-DD.", "https://scalars.graphql.org/andimarek/local-date"),
    (
        "Decimal",
        "An exact decimal number as text; money is never a float.",
        "https://scalars.graphql.org/chillicream/decimal",
    ),
    (
        "BigInt",
        "A 64-bit integer, shown as a JSON number.",
        "https://www.rfc-editor.org/rfc/rfc8259",
    ),
    ("JSON", "Any JSON value.", "https://www.rfc-editor.org/rfc/rfc8259"),
];

const ENUMS: [(&str, &str, &[&str]); 5] = [
    (
        "BatchMode",
        "ATOMIC: all rows or none. PER_ROW: each row by itself, with a result of its own.",
        &["ATOMIC", "PER_ROW"],
    ),
    ("OrderDirection", "", &["ASC", "DESC"]),
    ("NullsOrder", "Where rows without a value stand.", &["FIRST", "LAST"]),
    ("Deleted", "Whether deleted rows are listed.", &["EXCLUDE", "INCLUDE", "ONLY"]),
    ("GroupOrderBy", "What groups are ordered by.", &["COUNT", "KEY", "SUM", "AVG", "MIN", "MAX"]),
];

fn scalar(name: &str, about: &str, url: &str) -> MetaType {
    MetaType::Scalar {
        name: name.to_owned(),
        description: Some(about.to_owned()),
        is_valid: None,
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        specified_by_url: (name != "ID").then(|| url.to_owned()),
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

fn filters() -> Vec<MetaType> {
    let mut types = Vec::new();
    for (name, of) in [
        ("DateFilter", "Date"),
        ("DateTimeFilter", "DateTime"),
        ("IntFilter", "Int"),
        ("DecimalFilter", "Decimal"),
    ] {
        let between = format!("{of}Between");
        let mut values = equality(of);
        values.extend(comparison(of));
        values.push(input_value("between", between.clone(), "Both ends belong to it."));
        types.push(input_object(name, "", values));
        types.push(input_object(
            &between,
            "",
            vec![
                input_value("from", format!("{of}!"), ""),
                input_value("to", format!("{of}!"), ""),
            ],
        ));
    }
    for of in ["Int", "Float", "Decimal", "Date", "DateTime"] {
        let mut values = vec![input_value("eq", of, ""), input_value("ne", of, "")];
        values.extend(comparison(of));
        types.push(input_object(&format!("{of}Comparison"), "", values));
    }
    types.push(input_object("IDFilter", "", equality("ID")));
    types.push(input_object(
        "BooleanFilter",
        "",
        vec![
            input_value("eq", "Boolean", ""),
            input_value("ne", "Boolean", "Also true where there is no value."),
            input_value("isNull", "Boolean", ""),
        ],
    ));
    let mut code = equality("String");
    code.extend(comparison("String"));
    code.push(input_value("startsWith", "String", "Exact, case matters."));
    types.push(input_object("CodeFilter", "Text that machines write: exact.", code.clone()));
    let mut text = equality("String");
    text.extend(comparison("String"));
    text.extend([
        input_value("contains", "String", "Accents and case do not matter."),
        input_value("startsWith", "String", "Accents and case do not matter."),
        input_value("endsWith", "String", "Accents and case do not matter."),
        input_value("search", "String", "Contains every word, in any order."),
    ]);
    types.push(input_object(
        "StringFilter",
        "eq, ne, in and notIn are exact; order and parts ignore accents and case.",
        text,
    ));
    let mut json =
        vec![input_value("path", "[String!]!", "Keys from the top; numbers index lists.")];
    json.extend(equality("String"));
    json.extend([
        input_value("contains", "String", "Exact, case matters."),
        input_value("startsWith", "String", "Exact, case matters."),
        input_value("endsWith", "String", "Exact, case matters."),
        input_value("arrayContains", "String", "The list at the path holds this text."),
    ]);
    types.push(input_object("JSONFilter", "Compares the text of the value at a path.", json));
    types
}

fn equality(of: &str) -> Vec<async_graphql::registry::MetaInputValue> {
    vec![
        input_value("eq", of, ""),
        input_value("ne", of, "Also true where there is no value."),
        input_value("in", format!("[{of}!]"), ""),
        input_value("notIn", format!("[{of}!]"), "Also true where there is no value."),
        input_value("isNull", "Boolean", ""),
    ]
}

fn comparison(of: &str) -> Vec<async_graphql::registry::MetaInputValue> {
    ["gt", "gte", "lt", "lte"].iter().map(|name| input_value(name, of, "")).collect()
}

/// `LeadStatusFilter`
pub(super) fn enum_filter(of: &str) -> MetaType {
    input_object(&format!("{of}Filter"), "", equality(of))
}
