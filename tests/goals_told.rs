//! What whoever asks for goals, and whoever runs the server, is told of how it was answered: headers,
//! measurements, a line of the log, the mark of an answer; and what a forced refresh does.

use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::support::app::Answer;
use crate::support::{TestApp, both_databases};

const PAGE: &str = "query($refresh: Boolean) { customerGoals(refresh: $refresh) \
    { summary { soldMonth } } }";

async fn sell(app: &TestApp, order: &str, amount: &str) {
    let key = &app.alpha.admin.key;
    let customer = app.create(key, "Company", json!({ "name": order })).await;
    let input = json!({ "orderId": order, "sellerId": app.alpha.comercial.id, "customerId": customer,
        "amount": amount, "soldAt": "2026-03-09T12:00:00Z" });
    app.done(key, "saleRegister", json!({ "input": input }), "{ id }").await;
}

async fn post(app: &TestApp, key: &str, query: &str, variables: Json) -> Answer {
    let body = json!({ "query": query, "variables": variables });
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {key}"));
    app.request(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn rest(app: &TestApp, query: &str, etag: Option<&str>) -> Answer {
    let seller = app.alpha.comercial.id;
    let mut request = Request::get(format!("/api/v2/analytics/goals/seller/{seller}{query}"))
        .header(header::AUTHORIZATION, format!("Bearer {}", app.alpha.admin.key));
    if let Some(etag) = etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    app.request(request.body(Body::empty()).unwrap()).await
}

fn sold(answer: &Answer) -> Json {
    answer.json()["data"]["customerGoals"]["summary"]["soldMonth"].take()
}

/// How often `/metrics` says that a tier was found so.
async fn counted(app: &TestApp, tier: &str, found: &str) -> u64 {
    let text = app.get("/metrics").await.text();
    let line = text.lines().find(|line| {
        let named = line.starts_with("pulso_kept_answers_total{");
        named && line.contains(&format!("\"{tier}\"")) && line.contains(&format!("\"{found}\""))
    });
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

both_databases! {
    async fn headers_say_what_was_kept(app: TestApp) {
        sell(&app, "1", "5.00").await;
        let key = &app.alpha.comercial.key;
        for found in ["MISS", "HIT"] {
            let answer = post(&app, key, PAGE, json!({})).await;
            assert_eq!(sold(&answer), "5.00");
            assert_eq!(answer.headers["x-cache-static"], found);
            assert_eq!(answer.headers["x-cache-annual"], found);
            let ms = answer.headers["x-query-time-ms"].to_str().unwrap();
            assert!(ms.parse::<f64>().is_ok(), "{ms}");
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        }
        // Other operations have nothing that could be kept.
        let answer = post(&app, key, "{ me { id } }", json!({})).await;
        assert!(!answer.headers.contains_key("x-cache-static"));
    }

    async fn every_question_is_counted_and_logged(app: TestApp) {
        sell(&app, "1", "5.00").await;
        let log = Log::default();
        let (writer, key) = (log.clone(), &app.alpha.admin.key);
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone());
        let guard = tracing::subscriber::set_default(subscriber.finish());
        for (number, (field, selection)) in [("customerGoals", "totalCount"), ("sellerRanking", "nodes { soldYear }"),
            ("goalSeries", "nodes { sold }")].into_iter().enumerate() {
            let answer = post(&app, key, &format!("{{ {field} {{ {selection} }} }}"), json!({})).await;
            assert!(answer.json().get("errors").is_none(), "{}", answer.text());
            let hits = u64::try_from(number).unwrap();
            assert_eq!(counted(&app, "ANNUAL", "MISS").await, 1, "{field}");
            assert_eq!(counted(&app, "ANNUAL", "HIT").await, hits, "{field}");
            assert_eq!(counted(&app, "LIVE", "BYPASS").await, hits + 1, "{field}");
        }
        drop(guard);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        let lines: Vec<Json> = lines.map(|mut line| line["fields"].take())
            .filter(|fields| fields["message"] == "customer goals").collect();
        let told: Vec<(&Json, &Json)> = lines.iter().map(|line| (&line["field"], &line["cache"])).collect();
        let (miss, hit) = (json!(r#"["MISS", "MISS", "BYPASS"]"#), json!(r#"["HIT", "HIT", "BYPASS"]"#));
        assert_eq!(told, [(&json!("customerGoals"), &miss), (&json!("sellerRanking"), &hit), (&json!("goalSeries"), &hit)]);
        assert!(lines.iter().all(|line| line["ms"].is_u64() && line["customers"] == 1), "{lines:#?}");
        assert!(lines[0]["statements"].as_u64() > lines[1]["statements"].as_u64(), "{lines:#?}");
        assert_eq!(lines[1]["statements"], 1);
    }

    /// A page that says the same has the same mark, whenever its parts were read.
    async fn an_answer_is_known_by_what_it_says(app: TestApp) {
        sell(&app, "1", "5.00").await;
        let first = rest(&app, "", None).await;
        let etag = first.headers[header::ETAG].to_str().unwrap().to_owned();
        app.app.clock.advance(TimeDelta::seconds(1_900));
        let again = rest(&app, "", None).await;
        assert_ne!(first.json()["data_as_of"], again.json()["data_as_of"]);
        assert_eq!(rest(&app, "", Some(&etag)).await.status, StatusCode::NOT_MODIFIED);
        sell(&app, "2", "1.00").await;
        let sold = rest(&app, "", Some(&etag)).await;
        assert_eq!(sold.status, StatusCode::OK);
        assert_eq!(sold.json()["summary"]["total_sold_month"], "6.00");
    }

    async fn older_addresses_choose_class_year_and_place(app: TestApp) {
        let (key, seller) = (&app.alpha.admin.key, app.alpha.comercial.id);
        let names: Vec<Json> = (0..1_040).map(|number| json!({ "name": format!("C{number:04}") })).collect();
        let mut customers: Vec<Uuid> = Vec::new();
        for some in names.chunks(500) {
            let query = "mutation($inputs: [CompanyCreateInput!]!) { made: companyCreateMany(inputs: $inputs) { record { id } } }";
            let made = app.data(key, query, json!({ "inputs": some })).await;
            let made = made["made"].as_array().unwrap();
            customers.extend(made.iter().map(|each| each["record"]["id"].as_str().unwrap().parse::<Uuid>().unwrap()));
        }
        let goals: Vec<Json> = customers.iter().zip(0..).map(|(customer, number)| json!({ "year": 2025,
            "sellerId": seller, "customerId": customer, "amount": "1.00",
            "classification": if number % 2 == 0 { "B" } else { "C" } })).collect();
        for some in goals.chunks(500) {
            let query = "mutation($inputs: [GoalCreateInput!]!) { goalCreateMany(inputs: $inputs) { record { id } } }";
            app.data(key, query, json!({ "inputs": some })).await;
        }
        let page = async |query: &str| rest(&app, query, None).await.json();
        let some = page("?year=2025&month=12&classification=B&limit=3&order_by=customer_name").await;
        let names = |page: &Json| page["customers"].as_array().unwrap().iter()
            .map(|row| row["customer_name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&some), ["C0000", "C0002", "C0004"]);
        assert_eq!((&some["total"], &some["year"], &some["summary"]["goal_2025"]), (&json!(520), &json!(2025), &json!("520.00")));
        // Beyond what one page may have.
        let far = page("?year=2025&month=12&limit=100&offset=1030&order_by=customer_name").await;
        assert_eq!(names(&far), (1_030..1_040).map(|number| format!("C{number}")).collect::<Vec<_>>());
        assert_eq!((&far["total"], &far["offset"]), (&json!(1_040), &json!(1_030)));
        let beyond = page("?year=2025&month=12&offset=5000").await;
        assert_eq!((&beyond["customers"], &beyond["total"]), (&json!([]), &json!(1_040)));
        assert_eq!(page("?year=2026").await["total"], 0);
    }

    async fn a_refresh_reads_anew_and_is_one_persons(app: TestApp) {
        sell(&app, "1", "5.00").await;
        let (seller, director) = (&app.alpha.comercial.key, &app.alpha.diretor.key);
        let year = "query($refresh: Boolean) { customerGoals(refresh: $refresh) { summary { goal } } }";
        let goal = |answer: &Answer| answer.json()["data"]["customerGoals"]["summary"]["goal"].take();
        let customer = app.create(&app.alpha.admin.key, "Company", json!({ "name": "Bazar" })).await;
        app.create(&app.alpha.admin.key, "Goal", json!({ "year": 2026, "sellerId": app.alpha.comercial.id,
            "customerId": customer, "amount": "100.00" })).await;
        assert_eq!(goal(&post(&app, seller, year, json!({})).await), "100.00");
        // Behind the server's back: no epoch moves.
        app.write_sql("UPDATE customer_goals SET amount = 20000 WHERE customer_id = ?", vec![pulso::db::Value::Id(customer)]).await;
        assert_eq!(goal(&post(&app, seller, year, json!({})).await), "100.00");
        let anew = json!({ "refresh": true });
        // Of several at once one is let through.
        let answers = join_all((0..8).map(|_| post(&app, seller, year, anew.clone()))).await;
        let (let_in, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.json().get("errors").is_none());
        assert_eq!((let_in.len(), refused.len()), (1, 7));
        assert_eq!(goal(let_in[0]), "200.00");
        assert_eq!(let_in[0].headers["x-cache-static"], "BYPASS");
        for answer in refused {
            assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "RATE_LIMITED");
            assert_eq!(answer.headers[header::RETRY_AFTER], "11");
        }
        assert_eq!(goal(&post(&app, seller, year, json!({})).await), "200.00", "what was read anew is kept");
        // Somebody else's refresh is their own, and one's own comes again.
        assert_eq!(goal(&post(&app, director, year, anew.clone()).await), "200.00");
        app.app.clock.advance(TimeDelta::seconds(10));
        assert_eq!(goal(&post(&app, seller, year, anew).await), "200.00");
    }
}
