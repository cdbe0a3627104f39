//! The HTTP door as a client sees it: GraphQL over HTTP, credentials, health, limits, CORS, and a
//! shutdown that loses nobody's request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use pulso::app::App;
use pulso::clock::Clock;
use pulso::config::Limits;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::support::app::{Answer, build, now};
use crate::support::{TestApp, both_databases};

pub const JSON: &str = "application/json";
pub const RESULT: &str = "application/graphql-response+json";
const PROBLEM: &str = "application/problem+json";

pub fn post(accept: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/graphql")
        .header(header::CONTENT_TYPE, JSON)
        .header(header::ACCEPT, accept)
        .body(body.into())
        .unwrap()
}

pub fn get(path: &str, accept: &str) -> Request<Body> {
    Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap()
}

pub fn query(text: &str) -> String {
    json!({ "query": text }).to_string()
}

fn content_type(answer: &Answer) -> &str {
    answer.headers[header::CONTENT_TYPE].to_str().unwrap()
}

#[track_caller]
pub fn assert_problem(answer: &Answer, status: u16, code: &str) -> Json {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert_eq!(content_type(answer), PROBLEM);
    let body = answer.json();
    assert_eq!(body["status"], status);
    assert_eq!(body["code"], code);
    assert_eq!(body["requestId"], answer.headers["x-request-id"].to_str().unwrap());
    body
}

both_databases! {
    async fn a_result_comes_in_the_media_type_that_was_asked_for(app: TestApp) {
        for (accept, expected) in [
            (JSON, JSON),
            (RESULT, RESULT),
            ("*/*", JSON),
            ("", JSON),
            ("application/graphql-response+json, application/json;q=0.9", RESULT),
            ("application/json, application/graphql-response+json;q=0.9", JSON),
            ("text/html;q=0.1, application/*", JSON),
        ] {
            let answer = app.request(post(accept, query("{ __typename }"))).await;
            assert_eq!(answer.status, StatusCode::OK, "{accept}");
            assert_eq!(content_type(&answer), format!("{expected}; charset=utf-8"), "{accept}");
            assert_eq!(answer.json()["data"]["__typename"], "Query");
        }
        for refused in ["image/png", "text/html", "application/json; charset=iso-8859-1", "application/json;q=0"] {
            let answer = app.request(post(refused, query("{ __typename }"))).await;
            assert_problem(&answer, 406, "UNSUPPORTED");
        }
    }

    async fn a_document_that_cannot_run_is_200_for_json_and_400_for_the_new_type(app: TestApp) {
        for document in ["{", "{ thereIsNoSuchField }"] {
            let lenient = app.request(post(JSON, query(document))).await;
            assert_eq!(lenient.status, StatusCode::OK, "{document}");
            let strict = app.request(post(RESULT, query(document))).await;
            assert_eq!(strict.status, StatusCode::BAD_REQUEST, "{document}");
            assert!(strict.json().get("data").is_none(), "{document}");
            assert!(strict.json()["errors"][0]["message"].is_string(), "{document}");
        }
    }

    async fn a_request_that_is_not_well_formed_is_400_with_a_reason(app: TestApp) {
        let bodies: [&[u8]; 12] = [
            b"",
            b"{ \"not JSON",
            b"null",
            b"[]",
            b"{\"notQuery\":\"{ __typename }\"}",
            b"{\"query\":7}",
            b"{\"query\":\"{ __typename }\",\"variables\":[]}",
            b"{\"query\":\"{ __typename }\",\"operationName\":{}}",
            b"{\"query\":\"{ __typename }\",\"extensions\":\"x\"}",
            b"\xEF\xBB\xBF{\"query\":\"{ __typename }\"}",
            b"{\"query\":\"\xFF\"}",
            b"{\"query\":\"{ __typename }\",\"variables\":{\"a\":[\"\\u0000\"]}}",
        ];
        for body in bodies {
            for accept in [JSON, RESULT] {
                let answer = app.request(post(accept, body)).await;
                let problem = assert_problem(&answer, 400, "INVALID");
                assert!(!problem["detail"].as_str().unwrap().is_empty());
            }
        }
        let deep = format!("{{\"query\":\"{{ __typename }}\",\"variables\":{{\"a\":{}", "[".repeat(100_000));
        assert_problem(&app.request(post(JSON, deep)).await, 400, "INVALID");
    }

    async fn null_parameters_are_absent_and_unknown_ones_ignored(app: TestApp) {
        let body = json!({
            "query": "{ __typename }", "variables": null, "operationName": null,
            "extensions": null, "somethingElse": 1,
        });
        let answer = app.request(post(RESULT, body.to_string())).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }

    async fn only_json_is_taken_so_that_no_foreign_form_can_post(app: TestApp) {
        for refused in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=latin1",
            "",
        ] {
            let request = Request::post("/graphql")
                .header(header::CONTENT_TYPE, refused)
                .body(Body::from(query("{ __typename }")))
                .unwrap();
            assert_problem(&app.request(request).await, 415, "UNSUPPORTED");
        }
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "Application/JSON; charset=\"UTF-8\"")
            .body(Body::from(query("{ __typename }")))
            .unwrap();
        assert_eq!(app.request(request).await.status, StatusCode::OK);
    }

    async fn get_runs_queries_and_refuses_mutations(app: TestApp) {
        let path = "/graphql?query=query+Q(%24n%3AString!)%7B__type(name%3A%24n)%7Bname%7D%7D\
                    &variables=%7B%22n%22%3A%22Query%22%7D&operationName=Q&extensions=";
        let mut request = get(path, RESULT);
        let credential = format!("Bearer {}", app.alpha.admin.key).parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, credential);
        let answer = app.request(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.json()["data"]["__type"]["name"], "Query");

        let mutation = app.request(get("/graphql?query=mutation%7B__typename%7D", RESULT)).await;
        assert_eq!(mutation.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(mutation.headers[header::ALLOW], "POST");

        for wrong in ["/graphql", "/graphql?query=%FF", "/graphql?query=%7B&variables=%5B%5D", "/graphql?query=%zz", "/graphql?query=%00"] {
            assert_problem(&app.request(get(wrong, JSON)).await, 400, "INVALID");
        }
    }

    async fn other_methods_are_405_and_say_what_would_do(app: TestApp) {
        for method in [Method::PUT, Method::DELETE, Method::PATCH] {
            let request = Request::builder().method(method).uri("/graphql").body(Body::empty()).unwrap();
            let answer = app.request(request).await;
            assert_problem(&answer, 405, "UNSUPPORTED");
            assert_eq!(answer.headers[header::ALLOW], "GET, HEAD, POST");
        }
        let answer = app.request(Request::post("/livez").body(Body::empty()).unwrap()).await;
        assert_problem(&answer, 405, "UNSUPPORTED");
        assert!(answer.headers.contains_key(header::ALLOW));
    }

    async fn batches_run_in_order_up_to_their_limit(app: TestApp) {
        let part = json!({ "query": "{ __typename }" });
        let body = json!([part, { "query": "{" }, part]).to_string();
        let answer = app.request(post(RESULT, body)).await;
        assert_eq!(answer.status, StatusCode::OK);
        let answers = answer.json();
        assert_eq!(answers[0]["data"]["__typename"], "Query");
        assert!(answers[1]["errors"].is_array());
        assert_eq!(answers[2]["data"]["__typename"], "Query");

        let many = vec![part; pulso::limits::HTTP_BATCH_MAX + 1];
        let answer = app.request(post(JSON, json!(many).to_string())).await;
        assert_problem(&answer, 400, "LIMIT_EXCEEDED");
    }

    async fn a_body_that_is_too_long_is_413_announced_or_not(app: TestApp) {
        let long = "x".repeat(pulso::limits::HTTP_BODY_BYTES_MAX + 1);
        assert_problem(&app.request(post(JSON, long.clone())).await, 413, "LIMIT_EXCEEDED");
        let chunks = futures::stream::iter([Ok::<_, std::io::Error>(long)]);
        let answer = app.request(post(JSON, Body::from_stream(chunks))).await;
        assert_problem(&answer, 413, "LIMIT_EXCEEDED");
    }

    async fn a_wrong_credential_is_401_even_where_none_is_needed(app: TestApp) {
        for credential in ["Bearer nonsense", "Basic YTpi", "Bearer", "Bearer a.b.c"] {
            let mut request = post(RESULT, query("{ __typename }"));
            request.headers_mut().insert(header::AUTHORIZATION, credential.parse().unwrap());
            let answer = app.request(request).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{credential}");
            assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
            assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
        }
    }

    async fn persisted_queries_follow_the_protocol(app: TestApp) {
        let text = "{ __typename }";
        let right = sha256(text);
        let with = |hash: &str, query: Option<&str>| {
            let mut body = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } });
            if let Some(query) = query {
                body["query"] = json!(query);
            }
            post(RESULT, body.to_string())
        };
        let code = |answer: &Answer| answer.json()["errors"][0]["extensions"]["code"].clone();

        let miss = app.request(with(&right, None)).await;
        assert_eq!((miss.status, code(&miss)), (StatusCode::OK, json!("PERSISTED_QUERY_NOT_FOUND")));
        assert_eq!(miss.json()["errors"][0]["message"], "PersistedQueryNotFound");
        assert_eq!(app.request(with(&right, Some(text))).await.status, StatusCode::OK);
        let hit = app.request(with(&right, None)).await;
        assert_eq!(hit.json()["data"]["__typename"], "Query");

        let wrong = app.request(with(&right, Some("{ other }"))).await;
        assert_eq!((wrong.status, code(&wrong)), (StatusCode::BAD_REQUEST, json!("BAD_REQUEST")));
        assert_eq!(wrong.json()["errors"][0]["message"], "provided sha does not match query");
        assert_eq!(app.request(with("abc", None)).await.status, StatusCode::BAD_REQUEST);

        // A document that does not parse is not remembered.
        app.request(with(&sha256("{"), Some("{"))).await;
        assert_eq!(code(&app.request(with(&sha256("{"), None)).await), "PERSISTED_QUERY_NOT_FOUND");
    }

    async fn results_stream_as_events(app: TestApp) {
        let answer = app.request(post("text/event-stream", query("{ __typename }"))).await;
        assert_eq!(content_type(&answer), "text/event-stream");
        let text = answer.text();
        assert!(text.starts_with("event: next\ndata: {"), "{text}");
        assert!(text.ends_with("\n\nevent: complete\ndata:\n\n"), "{text}");
    }

    async fn browsers_get_a_page_that_needs_no_network(app: TestApp) {
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let answer = app.request(get("/graphql", accept)).await;
        assert_eq!(content_type(&answer), "text/html; charset=utf-8");
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"));
        let page = answer.text();
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert_eq!(page.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        for outside in ["http://", "https://", "src=", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    async fn the_schema_is_a_file_with_an_etag(app: TestApp) {
        let answer = app.get("/schema.graphql").await;
        assert_eq!(answer.text(), app.app.graphql.sdl());
        let etag = answer.headers[header::ETAG].to_str().unwrap().to_owned();
        for known in [etag.clone(), format!("\"x\", {}", etag.trim_start_matches("W/")), "*".to_owned()] {
            let request = Request::get("/schema.graphql")
                .header(header::IF_NONE_MATCH, known)
                .body(Body::empty())
                .unwrap();
            assert_eq!(app.request(request).await.status, StatusCode::NOT_MODIFIED);
        }
    }

    async fn health_tells_process_and_readiness_apart(app: TestApp) {
        assert_eq!(app.get("/livez").await.status, StatusCode::OK);
        let ready = app.get("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK, "{}", ready.text());
        assert_eq!(ready.json()["parts"], json!({ "database": "ok", "migrations": "ok", "draining": false }));
        app.app.drain();
        let draining = app.get("/readyz").await;
        assert_eq!(draining.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(draining.json()["parts"]["draining"], true);
        assert_eq!(app.get("/livez").await.status, StatusCode::OK);
        let still = app.request(post(JSON, query("{ __typename }"))).await;
        assert_eq!(still.status, StatusCode::OK, "draining still serves");
    }

    async fn metrics_count_by_route_and_not_by_path(app: TestApp) {
        app.get("/no/such/place").await;
        app.request(post(JSON, query("{ __typename }"))).await;
        let text = app.get("/metrics").await.text();
        assert!(text.contains("pulso_http_requests_total{route=\"other\",method=\"GET\",status=\"404\"} 1"), "{text}");
        assert!(text.contains("pulso_http_requests_total{route=\"/graphql\",method=\"POST\",status=\"200\"} 1"), "{text}");
        assert!(text.contains("pulso_http_requests_in_flight 1"), "{text}");
        assert!(!text.contains("/no/such/place"));
    }

    async fn metrics_tell_what_operations_took(app: TestApp) {
        app.data(&app.alpha.admin.key, "{ leads { nodes { id } totalCount } }", json!({})).await;
        app.request(post(JSON, query("{ leads { totalCount } }"))).await;
        app.request(post(JSON, query("{"))).await;
        let text = app.get("/metrics").await.text();
        for line in [
            "pulso_graphql_operations_total{kind=\"query\",outcome=\"executed\"} 1",
            "pulso_graphql_operations_total{kind=\"query\",outcome=\"unauthenticated\"} 1",
            "pulso_graphql_operations_total{kind=\"query\",outcome=\"parse_failed\"} 1",
            "pulso_graphql_operation_statements_sum{kind=\"query\",outcome=\"executed\"} 2",
            "pulso_graphql_operation_duration_seconds_count{kind=\"query\",outcome=\"executed\"} 1",
            "pulso_operations_running 0",
            "pulso_operations_waiting 0",
            "pulso_database_connections_open ",
            "pulso_database_connections_awaited 0",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    async fn request_ids_are_echoed_when_sane_and_made_otherwise(app: TestApp) {
        for (sent, echoed) in [("abc-123", true), ("a b", false), ("", false), (&*"x".repeat(200), false)] {
            let request = Request::get("/livez").header("x-request-id", sent).body(Body::empty()).unwrap();
            let answer = app.request(request).await;
            let id = answer.headers["x-request-id"].to_str().unwrap();
            assert_eq!(id == sent, echoed, "{sent:?} -> {id:?}");
            assert!(!id.is_empty());
        }
    }

    async fn every_answer_has_security_headers_and_problems_speak_portuguese(app: TestApp) {
        let request = Request::get("/nowhere").header(header::ACCEPT_LANGUAGE, "pt-BR").body(Body::empty()).unwrap();
        let answer = app.request(request).await;
        let problem = assert_problem(&answer, 404, "NOT_FOUND");
        assert_eq!(problem["detail"], "não há nada neste endereço");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    }

    async fn cors_allows_the_configured_origins_only(app: TestApp) {
        for (origin, allowed) in [
            ("capacitor://localhost", true),
            ("ionic://localhost", true),
            ("http://localhost:5173", true),
            ("https://evil.example", false),
            ("http://localhost.evil.example:80", false),
        ] {
            let preflight = Request::builder()
                .method(Method::OPTIONS)
                .uri("/graphql")
                .header(header::ORIGIN, origin)
                .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
                .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type")
                .body(Body::empty())
                .unwrap();
            let answer = app.request(preflight).await;
            let found = answer.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(found.is_some_and(|value| value == origin), allowed, "{origin}");
        }
    }

    async fn the_whole_door_compresses_large_answers(app: TestApp) {
        let accept = "text/html";
        let mut request = get("/graphql", accept);
        request.headers_mut().insert(header::ACCEPT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(app.request(request).await.headers[header::CONTENT_ENCODING], "gzip");
        let mut small = post(JSON, query("{ __typename }"));
        small.headers_mut().insert(header::ACCEPT_ENCODING, "gzip".parse().unwrap());
        assert!(!app.request(small).await.headers.contains_key(header::CONTENT_ENCODING));
    }

    async fn a_closed_schema_and_a_closed_page_stay_closed(app: TestApp) {
        let mut config = crate::support::app::config(app.database.url());
        config.graphql.sdl_public = false;
        config.graphql.graphiql = false;
        let closed = App::build(config, app.database.db.clone(), Clock::fixed(now())).unwrap();
        let router = pulso::http::router(closed);
        let status = |request: Request<Body>| {
            let router = router.clone();
            async move { tower::ServiceExt::oneshot(router, request).await.unwrap().status() }
        };
        assert_eq!(status(get("/schema.graphql", "*/*")).await, StatusCode::UNAUTHORIZED);
        assert_eq!(status(get("/graphql", "text/html")).await, StatusCode::NOT_ACCEPTABLE);
    }

    async fn a_connection_that_sends_its_head_too_slowly_is_closed(app: TestApp) {
        slow_heads_are_not_waited_for(&app).await;
    }

    async fn connections_beyond_the_limit_wait_for_a_place(app: TestApp) {
        connections_have_places(&app).await;
    }

    async fn requests_in_flight_at_shutdown_all_succeed(app: TestApp) {
        shutdown_finishes_what_it_began(&app).await;
    }
}

/// A server with limits of its own, which goes with what is returned.
#[expect(clippy::disallowed_methods, reason = "the server of a test ends with the test")]
async fn served(app: &TestApp, limits: Limits) -> (SocketAddr, oneshot::Sender<()>) {
    let mut config = crate::support::app::config(app.database.url());
    config.limits = limits;
    let server = App::build(config, app.database.db.clone(), Clock::system()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let signal = async move {
        stopped.await.ok();
    };
    tokio::spawn(pulso::http::server::serve(server, listener, signal, async {}));
    (address, stop)
}

/// Half a head, and an idle connection after an answer: both are let go, and others are served.
async fn slow_heads_are_not_waited_for(app: &TestApp) {
    let limits = Limits { header_timeout_ms: 300, ..Limits::default() };
    let (address, _stop) = served(app, limits).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(exchange(address, "/livez").await.starts_with("HTTP/1.1 200"));
    let (mut to_slow, mut to_idle) = (String::new(), String::new());
    slow.read_to_string(&mut to_slow).await.unwrap();
    idle.read_to_string(&mut to_idle).await.unwrap();
    assert!(!to_slow.contains("200"), "{to_slow}");
    assert!(to_idle.starts_with("HTTP/1.1 200"), "{to_idle}");
}

/// With one place, the second connection is served when the first has gone.
async fn connections_have_places(app: &TestApp) {
    let limits = Limits { http_connections_max: 1, ..Limits::default() };
    let (address, _stop) = served(app, limits).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut beginning = [0; 12];
    first.read_exact(&mut beginning).await.unwrap();
    assert_eq!(&beginning, b"HTTP/1.1 200");
    let mut second = Box::pin(exchange(address, "/livez"));
    let wait = Duration::from_millis(200);
    assert!(tokio::time::timeout(wait, &mut second).await.is_err(), "there is no place");
    drop(first);
    assert!(second.await.starts_with("HTTP/1.1 200"));
}

/// Twenty requests are half sent when the signal comes; readiness turns at once, new requests are
/// served during the grace time, everything in flight succeeds, and then the port is closed.
#[expect(clippy::disallowed_methods, reason = "the server of a test ends with the test")]
async fn shutdown_finishes_what_it_began(app: &TestApp) {
    let server = build(&app.database.db, app.database.url(), Clock::system());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (signal, signalled) = oneshot::channel::<()>();
    let (end_of_grace, graced) = oneshot::channel::<()>();
    let serving = tokio::spawn(pulso::http::server::serve(
        Arc::clone(&server),
        listener,
        async move {
            signalled.await.ok();
        },
        async move {
            graced.await.ok();
        },
    ));

    let body = query("{ __typename }");
    let (head, tail) = body.split_at(4);
    let mut started = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\n\r\n{head}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        started.push(stream);
    }
    // One round trip, so that the server has taken the connections before it.
    assert!(exchange(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    signal.send(()).unwrap();
    while !exchange(address, "/readyz").await.starts_with("HTTP/1.1 503") {
        tokio::task::yield_now().await;
    }
    assert!(exchange(address, "/livez").await.starts_with("HTTP/1.1 200"), "still serving");
    end_of_grace.send(()).unwrap();
    // The port closes before what is in flight has ended.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for stream in &mut started {
        stream.write_all(tail.as_bytes()).await.unwrap();
    }
    for mut stream in started {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    serving.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

/// A GET over a connection of its own; the whole answer.
pub async fn exchange(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
