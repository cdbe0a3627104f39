//! Values and filters that are out of range, and the ends of what is in it.

use crate::support::TestApp;
use crate::support::both_databases;
use pulso::db::Value;
use serde_json::Value as Json;
use serde_json::json;

both_databases! {
    /// Each database writes objects and lists in its own way: comparing them as text would answer
    /// differently, so it is refused aloud, and they are no text to any other operator.
    async fn whole_objects_and_lists_are_not_compared(app: TestApp) {
        let (tenant, key) = (&app.alpha, &app.alpha.admin.key);
        let document = json!({ "o": { "b": 1, "a": [1, 2] }, "l": ["x", "y"], "t": "[sic] {x", "n": null });
        app.company(tenant, "c", &[("metadata", Value::Json(document))]).await;
        let query = "query($filter: CompanyFilter) { companies(filter: $filter) { totalCount } }";
        for (path, whole) in [
            ("o", r#"{"b":1,"a":[1,2]}"#),
            ("o", r#"{"a": [1, 2], "b": 1}"#),
            ("o", " {} "),
            ("l", r#"["x","y"]"#),
            ("l", "[]"),
        ] {
            for comparison in [json!({ "eq": whole }), json!({ "ne": whole }),
                json!({ "in": ["x", whole] }), json!({ "notIn": [whole] })]
            {
                let mut comparison = comparison;
                comparison["path"] = json!([path]);
                let variables = json!({ "filter": { "metadata": comparison } });
                let answer = app.graphql(key, query, variables).await;
                let extensions = &answer["errors"][0]["extensions"];
                assert_eq!(extensions["code"], "INVALID", "{comparison} {answer}");
                assert_eq!(extensions["field"], "metadata", "{comparison} {answer}");
            }
        }
        for (path, comparison, found) in [
            (json!(["t"]), json!({ "eq": "[sic] {x" }), 1),
            (json!(["o"]), json!({ "isNull": false }), 1),
            (json!(["l"]), json!({ "isNull": true }), 0),
            (json!(["n"]), json!({ "isNull": true }), 1),
            (json!(["o"]), json!({ "ne": "x" }), 1),
            (json!(["o"]), json!({ "contains": "a" }), 0),
            (json!(["l"]), json!({ "startsWith": "[" }), 0),
            (json!(["l"]), json!({ "endsWith": "]" }), 0),
            (json!(["l"]), json!({ "arrayContains": "x" }), 1),
            (json!(["o", "a", "1"]), json!({ "eq": "2" }), 1),
        ] {
            let mut comparison = comparison;
            comparison["path"] = path;
            let variables = json!({ "filter": { "metadata": comparison } });
            let answer = app.data(key, query, variables).await;
            assert_eq!(answer["companies"]["totalCount"], json!(found), "{comparison}");
        }
    }

    async fn values_out_of_range_are_refused_by_name(app: TestApp) {
        let key = &app.alpha.admin.key;
        let query = "query($filter: LeadFilter) { leads(filter: $filter) { totalCount } }";
        for (filter, field) in [
            (json!({ "score": { "eq": 2_147_483_648_i64 } }), "score"),
            (json!({ "score": { "in": [1, -2_147_483_649_i64] } }), "score"),
            (json!({ "id": { "eq": "1" } }), "id"),
            (json!({ "companyId": { "in": ["x"] } }), "companyId"),
            (json!({ "createdAt": { "gt": "yesterday" } }), "createdAt"),
            (json!({ "createdAt": { "gt": "10000-01-01T00:00:00Z" } }), "createdAt"),
            (json!({ "createdAt": { "gt": "9999-12-31T23:59:59-01:00" } }), "createdAt"),
            (json!({ "createdAt": { "gt": i64::MAX } }), "createdAt"),
            (json!({ "deals": { "some": { "value": { "eq": "1.234" } } } }), "value"),
            (json!({ "deals": { "some": { "value": { "eq": "1e30" } } } }), "value"),
            (json!({ "deals": { "some": { "expectedCloseDate": { "eq": "2026-3-1" } } } }), "expectedCloseDate"),
            (json!({ "deals": { "some": { "expectedCloseDate": { "eq": "0000-01-01" } } } }), "expectedCloseDate"),
            (json!({ "deals": { "some": { "expectedCloseDate": { "eq": "2026-02-30" } } } }), "expectedCloseDate"),
            (json!({ "deals": { "some": { "expectedCloseDate": { "eq": "+12026-02-28" } } } }), "expectedCloseDate"),
        ] {
            let answer = app.graphql(key, query, json!({ "filter": filter })).await;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "INVALID", "{filter} {answer}");
            assert_eq!(error["extensions"]["field"], field, "{filter} {answer}");
        }
        // NUL, as a literal of the document.
        for filter in [
            r#"name: { eq: "a\u0000b" }"#,
            r#"name: { contains: "\u0000" }"#,
            r#"source: { in: ["\u0000"] }"#,
            r#"metadata: { path: ["\u0000"], eq: "x" }"#,
        ] {
            let query = format!("{{ leads(filter: {{ {filter} }}) {{ totalCount }} }}");
            assert_eq!(app.error_code(key, &query, json!({})).await, "INVALID", "{filter}");
        }
        // What the schema knows is refused by validation, never ignored.
        for filter in [
            json!({ "unknown": {} }),
            json!({ "score": { "contains": "1" } }),
            json!({ "status": { "eq": "nothing" } }),
            json!({ "score": { "eq": "1" } }),
            json!({ "metadata": { "eq": "x" } }),
        ] {
            let answer = app.graphql(key, query, json!({ "filter": filter })).await;
            assert!(answer.get("errors").is_some() && answer["data"].is_null(), "{filter} {answer}");
        }
    }

    async fn the_ends_of_time_and_of_numbers_are_found(app: TestApp) {
        for (name, at) in [("first", "0001-01-01T00:00:00Z"), ("last", "9999-12-31T23:59:59.999999Z")] {
            let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
            app.lead(&app.alpha, name, &[("first_contact_at", at.into())]).await;
        }
        let key = &app.alpha.admin.key;
        let query = "query($filter: LeadFilter) { leads(filter: $filter) { nodes { name firstContactAt } } }";
        for (filter, expected) in [
            (json!({ "eq": "0001-01-01T00:00:00Z" }), json!([["first", "0001-01-01T00:00:00Z"]])),
            (json!({ "gte": "9999-12-31T23:59:59.999999Z" }), json!([["last", "9999-12-31T23:59:59.999999Z"]])),
            (json!({ "lt": "1970-01-01T00:00:00Z" }), json!([["first", "0001-01-01T00:00:00Z"]])),
            (json!({ "gt": 0 }), json!([["last", "9999-12-31T23:59:59.999999Z"]])),
        ] {
            let data = app.data(key, query, json!({ "filter": { "firstContactAt": filter } })).await;
            let nodes: Vec<Json> = data["leads"]["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| json!([node["name"], node["firstContactAt"]]))
                .collect();
            assert_eq!(json!(nodes), expected, "{filter}");
        }
        let largest = "92233720368547758.07";
        app.deal(&app.alpha, "Vultoso", &[("value", Value::Int(i64::MAX))]).await;
        let query = "query($value: Decimal) { deals(filter: { value: { eq: $value } }) { nodes { value } } }";
        let data = app.data(key, query, json!({ "value": largest })).await;
        assert_eq!(data["deals"]["nodes"], json!([{ "value": largest }]));
    }

    async fn filters_are_bounded_and_long_lists_are_not_a_problem(app: TestApp) {
        let id = app.lead(&app.alpha, "Ana", &[]).await;
        let key = &app.alpha.admin.key;
        let query = "query($filter: LeadFilter) { leads(filter: $filter) { totalCount } }";
        let mut ids: Vec<String> = (0..9_999).map(|n| uuid::Uuid::from_u128(n).to_string()).collect();
        ids.push(id.to_string());
        let count = async |filter: Json| {
            let data = app.data(key, query, json!({ "filter": filter })).await;
            data["leads"]["totalCount"].as_i64().unwrap()
        };
        assert_eq!(count(json!({ "id": { "in": ids } })).await, 1);
        assert_eq!(count(json!({ "id": { "notIn": ids } })).await, 0);
        let numbers: Vec<usize> = (0..10_000).collect();
        assert_eq!(count(json!({ "score": { "in": numbers } })).await, 1);
        ids.push(id.to_string());
        let code = async |filter: Json| app.error_code(key, query, json!({ "filter": filter })).await;
        assert_eq!(code(json!({ "id": { "in": ids } })).await, "LIMIT_EXCEEDED");
        let nested = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({ "not": inner }));
        assert_eq!(count(nested(10)).await, 1);
        assert_eq!(code(nested(13)).await, "LIMIT_EXCEEDED");
        let many = |part: Json, count: usize| json!({ "and": vec![part; count] });
        assert_eq!(count(many(json!({ "score": { "gte": 0 } }), 200)).await, 1);
        assert_eq!(code(many(json!({ "score": { "gte": 0 } }), 201)).await, "LIMIT_EXCEEDED");
        assert_eq!(code(many(json!({ "deals": { "none": {} } }), 201)).await, "LIMIT_EXCEEDED");
        // Nothing, however often it is said, is nothing.
        assert_eq!(count(many(json!({}), 5_000)).await, 1);
        assert_eq!(count(many(json!({ "or": [] }), 5_000)).await, 0);
        assert_eq!(count(json!({ "or": vec![json!({ "and": [] }); 5_000] })).await, 1);
        assert_eq!(count(json!({ "status": null, "name": { "eq": null } })).await, 1);
        let long = "ana ".repeat(5_000);
        assert_eq!(count(json!({ "name": { "contains": long } })).await, 0);
        assert_eq!(code(json!({ "name": { "search": long } })).await, "LIMIT_EXCEEDED");
    }
}
