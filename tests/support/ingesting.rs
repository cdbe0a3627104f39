//! Events from outside, and the numbers that come of them.

use axum::body::Body;
use axum::http::{Request, header};
use pulso::analytics::rollup::{folder, verify};
use pulso::db::Value;
use pulso::jobs::worker;
use serde_json::{Value as Json, json};

use super::TestApp;
use super::app::Answer;

/// An event with what every event needs; `more` replaces and adds fields.
pub fn event(id: &str, event_type: &str, occurred_at: &str, more: Json) -> Json {
    let mut event = json!({ "id": id, "module": "tickets", "eventType": event_type,
        "occurredAt": occurred_at });
    let Json::Object(more) = more else { panic!("fields of an event: {more}") };
    event.as_object_mut().unwrap().extend(more);
    event
}

impl TestApp {
    /// `POST /v1/events` with a body as it is.
    pub async fn post_events(
        &self,
        key: &str,
        headers: &[(header::HeaderName, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let mut request =
            Request::post("/v1/events").header(header::AUTHORIZATION, format!("Bearer {key}"));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        self.request(request.body(Body::from(body)).unwrap()).await
    }

    /// Events that must be let in or kept apart: the answer.
    #[track_caller]
    pub fn ingest(&self, key: &str, events: &Json) -> impl Future<Output = Json> {
        let caller = std::panic::Location::caller();
        let body = events.to_string().into_bytes();
        async move {
            let json = (header::CONTENT_TYPE, "application/json");
            let answer = self.post_events(key, &[json], body).await;
            assert_eq!(answer.status, 202, "{caller}: {}", answer.text());
            answer.json()
        }
    }

    /// Folds everything that waits.
    pub async fn fold(&self) -> i64 {
        folder::fold_all(&self.app).await.unwrap()
    }

    /// Does every job whose time has come.
    pub async fn work(&self) -> usize {
        worker::run_due(&self.app).await.unwrap()
    }

    /// The snapshots of the first tenant must be what its log adds up to.
    #[track_caller]
    pub fn snapshots_agree(&self) -> impl Future<Output = verify::Report> {
        let caller = std::panic::Location::caller();
        async move {
            let report = Box::pin(verify::verify(&self.app, self.alpha.id)).await.unwrap();
            assert_eq!(report.findings, Vec::<String>::new(), "{caller}");
            report
        }
    }

    /// Changes rows behind the server's back: some that belong to the first tenant, `?` in the statement.
    #[track_caller]
    pub fn tamper_with(&self, sql: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let changed = Box::pin(self.write_sql(sql, vec![Value::Id(self.alpha.id)]));
        async move { assert!(changed.await > 0, "{caller}") }
    }

    /// `metricSeries` with these arguments: its rows.
    #[track_caller]
    pub fn series(&self, key: &str, arguments: &str) -> impl Future<Output = Json> {
        let query = format!(
            "{{ metricSeries({arguments}) {{ nodes {{ time metric series labels value events }} }} }}"
        );
        let data = self.data_of(key, query);
        async move { data.await["metricSeries"]["nodes"].take() }
    }

    #[track_caller]
    fn data_of(&self, key: &str, query: String) -> impl Future<Output = Json> {
        let caller = std::panic::Location::caller();
        let key = key.to_owned();
        async move {
            let mut answer = self.graphql(&key, &query, json!({})).await;
            assert!(answer.get("errors").is_none(), "{caller}: {query}\n{answer:#}");
            answer["data"].take()
        }
    }
}
