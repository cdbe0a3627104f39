//! The page of goals for clients of the older REST contract.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::Answer;
use crate::support::{TestApp, both_databases};

async fn get(app: &TestApp, key: Option<&str>, seller: &str, query: &str) -> Answer {
    get_with(app, key, seller, query, None).await
}

async fn get_with(
    app: &TestApp,
    key: Option<&str>,
    seller: &str,
    query: &str,
    etag: Option<&str>,
) -> Answer {
    let mut request = Request::get(format!("/api/v2/analytics/goals/seller/{seller}{query}"));
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    if let Some(etag) = etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    app.request(request.body(Body::empty()).unwrap()).await
}

async fn sell(app: &TestApp, seller: Uuid, name: &str, amount: &str) {
    let key = &app.alpha.admin.key;
    let input = json!({ "name": name, "addressCity": "Campinas", "addressState": "SP" });
    let customer = app.create(key, "Company", input).await;
    let goal = json!({ "year": 2026, "sellerId": seller, "customerId": customer,
                       "amount": "100.00", "classification": "B" });
    app.create(key, "Goal", goal).await;
    let input = json!({ "orderId": name, "sellerId": seller, "customerId": customer,
                        "amount": amount, "soldAt": "2026-03-09T12:00:00Z" });
    app.done(key, "saleRegister", json!({ "input": input }), "{ id }").await;
}

fn problem(answer: &Answer) -> (StatusCode, Json, Json) {
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    let body = answer.json();
    (answer.status, body["code"].clone(), body["field"].clone())
}

both_databases! {
    async fn the_older_names_stand_over_the_same_numbers(app: TestApp) {
        let seller = app.alpha.comercial.id;
        for (name, amount) in [("Um", "10.00"), ("Dois", "30.00"), ("Três", "20.00")] {
            sell(&app, seller, name, amount).await;
        }
        let key = Some(app.alpha.comercial.key.as_str());
        let (id, query) = (seller.to_string(), "?year=2026&month=3&limit=2&offset=1&order_by=-sold_month");
        let answer = get(&app, key, &id, query).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.headers[header::CACHE_CONTROL], "private, no-cache");
        assert_eq!(answer.headers["x-cache-static"], "MISS");
        assert_eq!(answer.headers["x-cache-annual"], "MISS");
        assert!(answer.headers.contains_key("x-query-time-ms"));
        let body = answer.json();
        assert_eq!((&body["total"], &body["limit"], &body["offset"]), (&json!(3), &json!(2), &json!(1)));
        assert_eq!(body["summary"], json!({
            "customers": 3, "active_customers_month": 3, "penetration_month_pct": 100.0,
            "total_sold_month": "60.00", "goal_2026": "300.00", "sold_2026": "60.00",
            "gap": "240.00", "achievement_pct": 20.0, "projected_year": body["summary"]["projected_year"],
        }));
        let mut second = body["customers"][0].clone();
        assert!(second.as_object_mut().unwrap().remove("customer_id").unwrap().is_string());
        assert_eq!(second, json!({
            "customer_name": "Três", "city": "Campinas", "state": "SP", "classification": "B",
            "goal_2026": "100.00", "sales_2025": null, "sold_2026": "20.00", "gap": "80.00",
            "achievement_pct": 20.0, "last_purchase_date": "2026-03-09T12:00:00Z",
            "sold_month": "20.00", "is_active_month": true,
        }));
        assert_eq!(body["customers"].as_array().unwrap().len(), 2);

        let etag = answer.headers[header::ETAG].to_str().unwrap().to_owned();
        let unchanged = get_with(&app, key, &id, query, Some(&etag)).await;
        assert_eq!((unchanged.status, unchanged.body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(unchanged.headers["x-cache-static"], "HIT");
        sell(&app, seller, "Quatro", "1.00").await;
        let changed = get_with(&app, key, &id, query, Some(&etag)).await;
        assert_eq!(changed.status, StatusCode::OK, "sold a second ago");
        assert_eq!(changed.json()["summary"]["total_sold_month"], "61.00");
    }

    async fn what_cannot_be_answered_is_a_problem_with_a_code(app: TestApp) {
        let (alpha, seller) = (&app.alpha, app.alpha.comercial.id.to_string());
        let admin = Some(alpha.admin.key.as_str());
        for (query, field) in [
            ("?limit=0", "limit"), ("?limit=1001", "limit"), ("?month=13", "month"),
            ("?order_by=secret", "order_by"), ("?classification=D", "classification"),
        ] {
            let answer = problem(&get(&app, admin, &seller, query).await);
            assert_eq!((answer.0, &answer.1), (StatusCode::BAD_REQUEST, &json!("INVALID")), "{query}");
            assert!(answer.2 == field || answer.2.is_null(), "{query}: {}", answer.2);
        }
        for query in ["?limit=x", "?surprise=1"] {
            assert_eq!(problem(&get(&app, admin, &seller, query).await).0, StatusCode::BAD_REQUEST);
        }
        for (key, seller, status) in [
            (None, &seller, StatusCode::UNAUTHORIZED),
            (Some(app.beta.admin.key.as_str()), &seller, StatusCode::NOT_FOUND),
            (Some(alpha.agente_ia.key.as_str()), &seller, StatusCode::FORBIDDEN),
            (Some(alpha.comercial.key.as_str()), &alpha.manager.id.to_string(), StatusCode::NOT_FOUND),
            (admin, &"not-an-id".to_owned(), StatusCode::BAD_REQUEST),
        ] {
            assert_eq!(problem(&get(&app, key, seller, "").await).0, status);
        }
    }
}
