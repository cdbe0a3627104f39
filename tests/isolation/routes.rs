//! The addresses of the server, each with what the four get there, and every way in which an operation
//! can come: none of them passes by the rules.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::json;

use super::{betrays, everywhere, marks, one_of_each};
use crate::support::sources::sources;
use crate::support::{TestApp, both_databases};

/// Address, the status of a plain GET for everybody alike, and why that gives nothing away.
const ROUTES: &[(&str, u16, &str)] = &[
    ("/graphql", 400, "nothing was asked; what is asked is in cases.rs, records.rs and changes.rs"),
    ("/graphql/ws", 426, "the same operations; the credential comes with the connection"),
    ("/schema.graphql", 200, "the schema is the same for everybody and holds no rows"),
    (
        "/api/v1/analytics/series.json",
        401,
        "metricSeries by another name; who gets what is in series_rest.rs",
    ),
    ("/api/v1/analytics/series.csv", 401, "the same as a file"),
    (
        "/api/v2/analytics/goals/seller/{seller_id}",
        401,
        "customerGoals by another name; who gets what is in goals_rest.rs",
    ),
    (
        "/auth/oidc/{tenant}/{provider}",
        404,
        "there is no such provider; what others meet is in single_sign_on.rs",
    ),
    (
        "/auth/oidc/{tenant}/{provider}/callback",
        404,
        "the same; a way back is its browser's alone: single_sign_on.rs, sign_in_attacks.rs",
    ),
    (
        "/api/v1/tenant/export",
        405,
        "it is asked for by POST; tests/tenant_export.rs says who gets what",
    ),
    ("/v1/events", 405, "events are posted; who may is in event_ingestion.rs"),
    ("/livez", 200, "says that the process lives"),
    ("/readyz", 200, "says which parts are ready"),
    ("/metrics", 200, "counts of the process, without tenants; not for the open network"),
];

/// Ways to add an address to a router.
const ADDS: [&str; 6] = [
    ".route(",
    ".nest(",
    ".route_service(",
    ".nest_service(",
    ".fallback_service(",
    ".merge(Router",
];

#[test]
fn every_address_has_a_case() {
    let addresses = pulso::http::addresses();
    for address in &addresses {
        assert!(
            ROUTES.iter().any(|(known, ..)| known == address),
            "{address}: say in ROUTES of tests/isolation/routes.rs what everybody gets there"
        );
    }
    for (known, ..) in ROUTES {
        assert!(addresses.contains(known), "{known}: there is no such address any more");
    }
}

/// The list that the router is made from is the only place that adds addresses.
#[test]
fn the_router_has_no_other_address() {
    let mut adds = Vec::new();
    for source in sources("api/src") {
        let count: usize = ADDS.iter().map(|call| source.bare.matches(call).count()).sum();
        if count > 0 {
            adds.push((source.path, count));
        }
    }
    assert_eq!(adds, [("api/src/http/mod.rs".to_owned(), 1)]);
}

both_databases! {
    async fn addresses_tell_everybody_the_same(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.comercial).await;
        let marks = marks(alpha, &ids);
        let nothing = app.key_with(alpha, alpha.comercial.id, json!({})).await;
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        let callers = [None, Some(&app.beta.admin.key), Some(&nothing), Some(&own)];
        // What asks for a credential first is somebody's: the test that its line names asks for it.
        let plain = ROUTES.iter().filter(|(_, status, _)| *status != 401);
        for (address, status, _) in plain {
            for credential in callers {
                let mut request = Request::get(*address);
                if let Some(key) = credential {
                    request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
                }
                let answer = app.request(request.body(Body::empty()).unwrap()).await;
                assert_eq!(answer.status.as_u16(), *status, "{address} {}", answer.text());
                let told = betrays(&answer.text(), "", &marks).cloned();
                assert_eq!(told, None, "{address}");
            }
        }
    }

    /// An operation by POST, by GET, in a batch, as a stream of events: one answer.
    async fn every_way_in_meets_the_same_rules(app: TestApp) {
        let alpha = &app.alpha;
        let ids = one_of_each(&app, alpha, &alpha.diretor).await;
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        let nothing = app.key_with(alpha, alpha.comercial.id, json!({})).await;
        let lead = ids["Lead"];
        let query = format!("{{ lead(id: \"{lead}\") {{ id name }} }}");
        let one = json!({ "query": query });
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let ways = [
            (Method::POST, "/graphql".to_owned(), "application/json", one.to_string()),
            (Method::POST, "/graphql".to_owned(), "text/event-stream", one.to_string()),
            (Method::POST, "/graphql".to_owned(), "application/json", json!([one, one]).to_string()),
            (Method::GET, format!("/graphql?query={escaped}"), "application/json", String::new()),
        ];
        for (credential, code) in [
            (None, "UNAUTHENTICATED"),
            (Some(&app.beta.admin.key), "NOT_FOUND"),
            (Some(&nothing), "FORBIDDEN"),
            (Some(&own), "NOT_FOUND"),
        ] {
            for (method, address, accept, body) in &ways {
                let mut request = Request::builder()
                    .method(method)
                    .uri(address)
                    .header(header::ACCEPT, *accept)
                    .header(header::CONTENT_TYPE, "application/json");
                if let Some(key) = credential {
                    request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
                }
                let answer = app.request(request.body(Body::from(body.clone())).unwrap()).await;
                let text = answer.text();
                assert!(text.contains(code), "{method} {accept} {credential:?} {text}");
                assert!(!text.contains(&lead.to_string()), "{method} {accept} {text}");
            }
        }
    }
}
