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

    /// Fields that are written by hand run statements like the engine's, and are counted like them.
    async fn statements_of_every_field_are_counted(app: TestApp) {
        let key = &app.alpha.admin.key;
        let statements = |answer: &Json| {
            assert!(answer.get("errors").is_none(), "{answer:#}");
            answer["extensions"]["cost"]["statements"].as_u64().unwrap()
        };
        let of = |query: &'static str| {
            let app = &app;
            async move { statements(&app.graphql(key, query, json!({})).await) }
        };
        assert_eq!(of("{ __typename }").await, 0);
        assert_eq!(of("{ leads { nodes { id } } }").await, 1);
        for query in [
            "{ me { user { id } } }",
            "{ apiKeys { id } }",
            "{ roles { name } }",
            "{ notifications { totalCount } }",
            "{ sessions { id } }",
        ] {
            assert!(of(query).await > 0, "{query}");
        }
        // Both kinds together are the sum of both, and none is counted twice.
        let apart = of("{ apiKeys { id } }").await + of("{ leads { nodes { id } } }").await;
        assert_eq!(of("{ apiKeys { id } leads { nodes { id } } }").await, apart);
        let made = "mutation { apiKeyCreate(input: { name: \"k\", role: \"comercial\" }) { secret } }";
        assert!(of(made).await > 3);
    }

    /// A number would tell what a refusal does not: whether there is such an account, or such a row.
    async fn refusals_tell_no_statements(app: TestApp) {
        let cost = |answer: &Json| answer["extensions"]["cost"].clone();
        for email in [app.alpha.admin.email.as_str(), "nobody@alpha.example"] {
            let reset = "mutation($e: String!) { passwordResetRequest(tenant: \"alpha\", email: $e) }";
            let answer = app.graphql(&app.alpha.admin.key, reset, json!({ "e": email })).await;
            assert_eq!(answer["data"]["passwordResetRequest"], true, "{answer:#}");
            assert!(cost(&answer).get("statements").is_none(), "{answer:#}");
            assert_eq!(cost(&answer)["rowsRead"], 0);
            let login = "mutation($e: String!) { login(tenant: \"alpha\", email: $e, \
                         password: \"not this one\") { expiresAt } }";
            let answer = app.graphql(&app.alpha.admin.key, login, json!({ "e": email })).await;
            assert!(answer.get("errors").is_some(), "{answer:#}");
            assert!(cost(&answer).get("statements").is_none(), "{answer:#}");
        }
        let refused = "mutation($id: ID!) { sessionRevoke(id: $id) { id } }";
        let never = json!({ "id": app.app.clock.new_id() });
        let answer = app.graphql(&app.alpha.comercial.key, refused, never).await;
        assert!(cost(&answer).get("statements").is_none(), "{answer:#}");
        assert!(cost(&answer).get("ms").is_some(), "{answer:#}");
    }
}
