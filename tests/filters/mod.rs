//! Filters: every operator of every kind means the same as a plain evaluation in memory, on both
//! databases; a filter and its `not` split the rows in two.

mod bounds;
mod meaning;

use crate::support::TestApp;
use pulso::record::Record;
use serde_json::Value as Json;
use serde_json::json;
use std::collections::BTreeSet;

async fn found(app: &TestApp, record: &Record, filter: &Json) -> BTreeSet<String> {
    let (name, plural, singular) = (record.name, record.plural, record.singular);
    let query = format!(
        "query($filter: {name}Filter) {{ rows: {plural}(first: 1000, filter: $filter) {{ totalCount nodes {{ \
         id }} }} all: {singular}Aggregate(filter: $filter) {{ count }} }}"
    );
    let data = app.data(&app.alpha.admin.key, &query, json!({ "filter": filter })).await;
    let ids: BTreeSet<String> = data["rows"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(data["rows"]["totalCount"], json!(ids.len()), "{filter}");
    assert_eq!(data["all"]["count"], json!(ids.len()), "{filter}");
    ids
}
