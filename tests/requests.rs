//! Requests as clients of all kinds send them, where `http.rs` does not say it: by HEAD, across origins,
//! packed, too long, half empty.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value as Json, json};

use crate::http::{JSON, RESULT, assert_problem, exchange, get, post, query};
use crate::support::socket::serve;
use crate::support::{TestApp, both_databases};

const EVENTS: &str = "text/event-stream";
const TYPENAME: &str = "/graphql?query=%7B__typename%7D";

both_databases! {
    async fn head_is_a_get_without_its_body(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let url = format!("http://{address}{TYPENAME}");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let got = client.get(&url).send().await.unwrap();
        let head = client.head(&url).send().await.unwrap();
        assert_eq!((got.status(), head.status()), (StatusCode::OK, StatusCode::OK));
        for name in [header::CONTENT_TYPE, header::VARY, header::CACHE_CONTROL] {
            assert_eq!(got.headers()[&name], head.headers()[&name]);
        }
        assert!(head.headers().contains_key(header::CONTENT_LENGTH));
        assert_eq!(head.text().await.unwrap(), "");
        let mutation = format!("http://{address}/graphql?query=mutation%7Blogout%7D");
        let head = client.head(mutation).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    async fn what_is_too_long_before_its_body_is_refused(app: TestApp) {
        let (address, _serving) = serve(&app.app).await;
        let long = format!("{TYPENAME}&x={}", "x".repeat(usize::from(u16::MAX)));
        let refused = exchange(address, &long).await;
        assert!(refused.starts_with("HTTP/1.1 414"), "{refused}");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{address}{TYPENAME}");
        let many = (0..200).fold(client.get(url), |asked, number| {
            asked.header(format!("x-{number}"), "x")
        });
        let refused = many.send().await.unwrap().status();
        assert_eq!(refused, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }

    /// A document is validated with each set of variables, and for each of its operations.
    async fn what_was_valid_once_is_not_valid_with_everything(app: TestApp) {
        let key = &app.alpha.admin.key;
        let document = "query A($first: Int!) { leads(first: $first) { totalCount } } \
            query B($id: ID!) { lead(id: $id) { name } }";
        let ask = async |operation: &str, variables: Json| {
            let asked = json!({ "query": document, "operationName": operation, "variables": variables });
            let mut request = post(RESULT, asked.to_string());
            let bearer = format!("Bearer {key}").parse().unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
            app.request(request).await.json()
        };
        for _ in 0..2 {
            let good = ask("A", json!({ "first": 3 })).await;
            assert!(good["errors"].is_null(), "{good}");
            let wrong = ask("A", json!({ "first": "three" })).await;
            assert_eq!(wrong["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{wrong}");
            let missing = ask("B", json!({ "first": 3 })).await;
            assert!(missing["errors"].is_array(), "{missing}");
        }
        // More sets of variables than are remembered.
        for first in 1..70 {
            assert!(ask("A", json!({ "first": first })).await["errors"].is_null());
        }
        assert!(ask("A", json!({ "first": 1.5 })).await["errors"].is_array());
    }

    /// A text that passed where any is taken stands for all of them, and for nothing else.
    async fn one_id_is_as_good_as_another(app: TestApp) {
        let key = &app.alpha.admin.key;
        let made = "mutation($name: String!) { leadCreate(input: { name: $name, source: \"x\" }) { id } }";
        let mut ids = Vec::new();
        for name in ["Ana", "Bia"] {
            ids.push(app.data(key, made, json!({ "name": name })).await["leadCreate"]["id"].clone());
        }
        let document = "query($id: ID!, $name: String, $at: DateTime, $rank: Int) { lead(id: $id) { id name } \
            leads(filter: { name: { eq: $name }, createdAt: { gt: $at }, score: { lt: $rank } }) { totalCount } }";
        let ask = async |document: &str, variables: &Json| {
            let asked = json!({ "query": document, "variables": variables }).to_string();
            let mut request = post(RESULT, asked);
            let bearer = format!("Bearer {key}").parse().unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
            let answer = app.request(request).await;
            let json = answer.json();
            let errors = json["errors"].as_array().into_iter().flatten();
            let errors: Vec<Json> = errors.map(|error| {
                json!([error["message"], error["path"], error["extensions"]["code"], error["extensions"]["field"]])
            }).collect();
            (answer.status, json["data"].clone(), errors)
        };
        let good = json!({ "id": ids[0], "name": "Ana", "at": "2026-01-01T00:00:00Z", "rank": 1 });
        for _ in 0..3 {
            assert_eq!(ask(document, &good).await.2, Vec::<Json>::new());
        }
        let changes = [
            json!({ "id": ids[1], "name": "Bia" }),
            json!({ "id": uuid::Uuid::nil() }),
            json!({ "id": "no id" }),
            json!({ "id": "" }),
            json!({ "id": 7 }),
            json!({ "id": null }),
            json!({ "id": true }),
            json!({ "id": [ids[1]] }),
            json!({ "name": null }),
            json!({ "name": 7 }),
            json!({ "name": "x".repeat(100_001) }),
            json!({ "at": "yesterday" }),
            json!({ "at": "" }),
            json!({ "rank": "1" }),
            json!({ "unknown": "x" }),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut variables = good.clone();
            variables.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            // Never seen before, so looked at whole.
            let fresh = ask(&format!("# {number}\n{document}"), &variables).await;
            for _ in 0..2 {
                assert_eq!(ask(document, &variables).await, fresh, "{change}");
            }
        }
    }

    /// What passed validation is read without the walk through the schema: the answer is the same.
    async fn the_second_answer_is_the_first(app: TestApp) {
        let key = &app.alpha.admin.key;
        for name in ["Ana", "Bia", "Caio"] {
            let made = "mutation($name: String!) { leadCreate(input: { name: $name, source: \"x\" }) { id } }";
            app.data(key, made, json!({ "name": name })).await;
        }
        let nowhere = uuid::Uuid::nil();
        let documents = [
            "{ b: leads(first: 2) { nodes { id name } } a: leads(first: 1) { totalCount } }".to_owned(),
            "query($no: Boolean = true) { ...Both companies(first: 1) @skip(if: $no) { totalCount } } \
             fragment Both on Query { deals(first: 1) { nodes { title } } ...More } \
             fragment More on Query { deals(first: 1) { nodes { value } } c: companies(first: 1) { totalCount } }"
                .to_owned(),
            "{ leads(first: 1) @include(if: false) { totalCount } }".to_owned(),
            "{ leadAggregate { count } __typename companies(first: 1) { totalCount } me { id } }".to_owned(),
            format!("{{ companies(first: 1) {{ totalCount }} lead(id: \"{nowhere}\") {{ id }} }}"),
            "{ companies(first: 1) { totalCount } leads(first: -1) { totalCount } }".to_owned(),
            "{ leads(first: 500) { nodes { deals(first: 500) { nodes { id } } } } }".to_owned(),
            "{ leads(first: 1) { ...A ...B } } fragment A on LeadConnection { n: nodes { id } } \
             fragment B on LeadConnection { n: edges { node { id } } }"
                .to_owned(),
            "{ leads(first: 1) { nodes { name } } users(first: 1) { nodes { email } } }".to_owned(),
        ];
        let keys = [Some(&app.alpha.admin.key), Some(&app.alpha.agente_ia.key), None];
        let asked = documents.iter().flat_map(|document| keys.iter().enumerate().map(move |key| (document, key)));
        for (document, (number, key)) in asked {
            // Another text for every caller: what passed once has passed for everybody.
            let document = format!("# {number}\n{document}");
            let ask = async || {
                let mut request = post(RESULT, json!({ "query": document }).to_string());
                if let Some(key) = key {
                    let bearer = format!("Bearer {key}").parse().unwrap();
                    request.headers_mut().insert(header::AUTHORIZATION, bearer);
                }
                let answer = app.request(request).await;
                let mut cost = answer.json()["extensions"]["cost"].take();
                cost.as_object_mut().and_then(|cost| cost.remove("ms"));
                // As text: the order of keys counts.
                let text = String::from_utf8(answer.body).unwrap();
                let (told, _) = text.rsplit_once("\"extensions\":").unwrap();
                (answer.status, told.to_owned(), cost)
            };
            let first = ask().await;
            assert_eq!(ask().await, first, "{document}");
        }
        let skipped = app.data(&app.alpha.admin.key, "{ __typename @skip(if: true) }", json!({})).await;
        assert_eq!(skipped, json!({}));
    }

    async fn browsers_ask_before_they_send_across_origins(app: TestApp) {
        let preflight = Request::builder()
            .method(Method::OPTIONS)
            .uri("/graphql")
            .header(header::ORIGIN, "http://localhost:5173")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,apollo-require-preflight")
            .body(Body::empty())
            .unwrap();
        let answer = app.request(preflight).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, b"");
        let said = |name| answer.headers[name].to_str().unwrap();
        assert!(said("access-control-allow-methods").split(',').any(|method| method == "POST"));
        assert_eq!(said("access-control-allow-headers"), "authorization,apollo-require-preflight");
        assert_eq!(said("access-control-max-age"), "7200");
        assert!(said("vary").contains("origin"));

        let mut asked = post(JSON, query("{ __typename }"));
        asked.headers_mut().insert(header::ORIGIN, "http://localhost:5173".parse().unwrap());
        let answer = app.request(asked).await;
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "http://localhost:5173");
        let exposed = answer.headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        for name in ["retry-after", "x-request-id", "ratelimit"] {
            assert!(exposed.split(',').any(|shown| shown == name), "{exposed}");
        }
    }

    async fn a_body_comes_plain_and_says_what_it_is(app: TestApp) {
        let typename = || Body::from(query("{ __typename }"));
        let unnamed = Request::post("/graphql").body(typename()).unwrap();
        assert_problem(&app.request(unnamed).await, 415, "UNSUPPORTED");
        for (encoding, status) in [("gzip", 415), ("br", 415), ("identity", 200)] {
            let mut packed = post(JSON, typename());
            packed.headers_mut().insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
            let answer = app.request(packed).await;
            assert_eq!(answer.status.as_u16(), status, "{encoding}");
            if status == 415 {
                assert_problem(&answer, 415, "UNSUPPORTED");
                assert_eq!(answer.headers[header::ACCEPT_ENCODING], "identity");
            }
        }
    }

    async fn answers_are_their_callers_alone(app: TestApp) {
        for request in [get(TYPENAME, JSON), get(TYPENAME, RESULT), post(JSON, query("{"))] {
            let answer = app.request(request).await;
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        }
    }

    async fn a_persisted_query_that_is_null_is_none(app: TestApp) {
        let mut body = json!({ "operationName": null, "extensions": { "persistedQuery": null } });
        for accept in [JSON, RESULT] {
            let answer = app.request(post(accept, body.to_string())).await;
            assert_problem(&answer, 400, "INVALID");
        }
        body["query"] = json!("{ __typename }");
        let answer = app.request(post(RESULT, body.to_string())).await;
        assert_eq!(answer.json()["data"]["__typename"], "Query");
    }

    async fn a_mutation_by_get_is_refused_however_it_is_to_be_answered(app: TestApp) {
        for accept in [JSON, RESULT, EVENTS] {
            let answer = app.request(get("/graphql?query=mutation%7Blogout%7D", accept)).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{accept}");
            assert_eq!(answer.headers[header::ALLOW], "POST");
            assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "UNSUPPORTED");
        }
    }

    async fn a_batch_is_no_stream_of_events(app: TestApp) {
        let batch = || json!([{ "query": "{ __typename }" }]).to_string();
        assert_problem(&app.request(post(EVENTS, batch())).await, 406, "UNSUPPORTED");
        let both = "text/event-stream;q=0.5, application/json";
        assert_eq!(app.request(post(both, batch())).await.status, StatusCode::OK);
    }
}
