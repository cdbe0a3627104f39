//! `docs/threat-model.md`: every line of its table names tests that are there.

use std::collections::BTreeSet;

use crate::support::sources::{root, sources};

/// `file.rs::name` in backticks, or `folder/file.rs::name`, below `tests`.
fn named(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).filter(|text| text.contains(".rs::")).collect()
}

#[test]
fn every_threat_names_tests_that_exist() {
    let document = std::fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let tests = sources("tests");
    let (mut broken, mut lines, mut seen) = (Vec::new(), 0, BTreeSet::new());
    let (closed, _) = document.split_once("## Open").expect("the open threats have a section");
    let table = closed.lines().skip_while(|line| !line.starts_with("| Threat"));
    for line in table.filter(|line| line.starts_with('|') && !line.starts_with("|---")).skip(1) {
        if line.starts_with("| Threat") {
            continue;
        }
        lines += 1;
        if named(line).is_empty() {
            broken.push(format!("no test: {line}"));
        }
    }
    for name in document.lines().flat_map(named) {
        let (file, test) = name.split_once("::").unwrap();
        let path = format!("tests/{file}");
        let source = tests.iter().find(|source| source.path == path);
        let there = source.is_some_and(|source| source.code.contains(&format!("fn {test}(")));
        if !there {
            broken.push(format!("there is no {name}"));
        }
        seen.insert(name);
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    assert!(lines > 25 && seen.len() > 40, "{lines} {}", seen.len());
}
