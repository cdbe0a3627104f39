//! What `extensions.cost` says of an answer.

use pulso::db::Value;
use serde_json::{Value as Json, json};

use crate::support::{TestApp, both_databases};

fn objects(json: &Json) -> u64 {
    match json {
        Json::Object(entries) => {
            let own = u64::from(entries.contains_key("id"));
            own + entries.values().map(objects).sum::<u64>()
        }
        Json::Array(items) => items.iter().map(objects).sum(),
        _ => 0,
    }
}

both_databases! {
    /// Every record in the answer was read, those of to-one relations too, which come joined.
    async fn rows_read_are_all_rows_of_a_nested_answer(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let company = app.company(tenant, "c", &[]).await;
        let stage = app.stage(tenant, "prospeccao").await;
        for number in 0..6 {
            let of = if number % 3 == 0 { Value::Null(pulso::db::NullOf::Id) } else { Value::Id(company) };
            let lead = app.lead(tenant, &format!("l{number}"), &[("company_id", of)]).await;
            for deal in 0..number {
                let fields = [("lead_id", Value::Id(lead)), ("stage_id", Value::Id(stage)),
                    ("company_id", Value::Id(company))];
                app.deal(tenant, &format!("d{deal}"), &fields).await;
            }
        }
        for query in [
            "{ leads(first: 50) { nodes { id } } }",
            "{ leads(first: 50) { nodes { id company { id name } assignee { id } } } }",
            "{ leads(first: 50) { nodes { id deals(first: 50) { nodes { id stage { id } company { id \
             owner { id } } } } } } }",
        ] {
            let answer = app.graphql(key, query, json!({})).await;
            assert!(answer.get("errors").is_none(), "{answer:#}");
            let read = answer["extensions"]["cost"]["rowsRead"].as_u64().unwrap();
            assert_eq!(read, objects(&answer["data"]), "{query}\n{answer:#}");
        }
        // A page reads one row more, to know whether there are others; a count is a row.
        let query = "{ leads(first: 2) { totalCount nodes { id } } }";
        let answer = app.graphql(key, query, json!({})).await;
        assert_eq!(answer["extensions"]["cost"]["rowsRead"], 4);
    }
}
