//! That nothing is left out: whatever the schema has is a record's, or has a line in `cases.rs`.

use std::collections::BTreeSet;

use pulso::graphql::{Write, catalogue};
use pulso::record::change::mutation::WriteKind;

use super::cases::CASES;
use super::shape::Shape;
use super::{changeable, records};
use crate::support::{TestApp, both_databases};

/// What the engine makes of a record's name.
const ENDINGS: [&str; 12] = [
    "",
    "Aggregate",
    "Avg",
    "Connection",
    "Edge",
    "Group",
    "GroupConnection",
    "GroupKey",
    "Max",
    "Min",
    "Result",
    "Sum",
];
/// Types of the engine that belong to no record.
const SHARED: [&str; 4] = ["CountUpTo", "MutationError", "PageInfo", "ViewerCan"];

/// Whether a root field follows from a declaration.
fn is_derived(root: &str, name: &str) -> bool {
    match root {
        "query" => catalogue().read(name).is_some(),
        "mutation" => matches!(catalogue().write(name), Some(Write::Engine(_))),
        _ => false,
    }
}

both_databases! {
    async fn every_root_field_has_a_case(app: TestApp) {
        let shape = Shape::of(&app).await;
        let mut wrong = Vec::new();
        let mut seen = BTreeSet::new();
        for root in ["query", "mutation", "subscription"] {
            for field in shape.root(root) {
                let cases = CASES.iter().filter(|case| case.name == field.name).count();
                let derived = is_derived(root, &field.name);
                if derived && cases > 0 {
                    wrong.push(format!("{}: a record's {root} needs no line", field.name));
                }
                if !derived && cases != 1 {
                    wrong.push(format!(
                        "{}: {cases} lines for this {root}: say once in CASES of \
                         tests/isolation/cases.rs how it is asked for and what each caller gets",
                        field.name
                    ));
                }
                seen.insert(field.name);
            }
        }
        for case in CASES.iter().filter(|case| !seen.contains(case.name)) {
            wrong.push(format!(
                "{}: the schema has no such field: take the line out of tests/isolation/cases.rs",
                case.name
            ));
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
        // The engine's own are as many as the catalogue says, no fewer.
        let written = changeable()
            .flat_map(|record| WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)));
        assert!(seen.len() > written.count());
    }

    /// Every type is asked for by the selections: a record's own, a verb's answer, or one that a line
    /// of `cases.rs` leads to.
    async fn every_type_is_reached(app: TestApp) {
        let shape = Shape::of(&app).await;
        let mut known: BTreeSet<String> = SHARED.iter().map(|name| (*name).to_owned()).collect();
        for record in records() {
            known.extend(ENDINGS.iter().map(|ending| format!("{}{ending}", record.name)));
            known.extend(record.summary.map(|summary| summary().name.to_owned()));
        }
        for root in ["query", "mutation", "subscription"] {
            for field in shape.root(root) {
                if CASES.iter().any(|case| case.name == field.name) {
                    known.extend(shape.below(&field.of, 2));
                }
            }
        }
        let unknown: Vec<&str> =
            shape.objects().into_iter().filter(|name| !known.contains(*name)).collect();
        assert!(
            unknown.is_empty(),
            "{unknown:?}: nobody asks for these in tests/isolation; a root field that leads to them \
             needs a line in cases.rs"
        );
    }
}
