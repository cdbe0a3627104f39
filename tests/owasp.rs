//! OWASP's GraphQL cheat sheet, item by item, in its order
//! (<https://cheatsheetseries.owasp.org/cheatsheets/GraphQL_Cheat_Sheet.html>). Short checks by what a
//! caller sees; what is proved at length elsewhere is named in `docs/threat-model.md`.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use base64::Engine as _;
use pulso::app::App;
use pulso::clock::Clock;
use pulso::config::{Config, Introspection};
use pulso::limits;
use pulso::record::Kind;
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

use crate::isolation::{code, everywhere, one_of_each, records};
use crate::support::app::{config, now};
use crate::support::seed::PASSWORD;
use crate::support::{TestApp, both_databases};

/// What people type to get out of a text.
const PAYLOADS: [&str; 12] = [
    "' OR '1'='1",
    "'; DROP TABLE leads; --",
    "\" OR 1=1 --",
    "') UNION SELECT password_hash FROM users --",
    "%",
    "_%_",
    "\\",
    "$1",
    "?",
    "{{7*7}} ${jndi:ldap://127.0.0.1/x}",
    "<script>alert(1)</script>",
    "\u{202e}\u{0301}🦀\t\r\n'\"\u{7f}",
];

/// What an answer must never show of the inside.
const INSIDE: [&str; 12] = [
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "syntax error",
    "no such",
    "relation \"",
    "sqlx",
    "sea_orm",
    "panicked",
    ".rs:",
    "/src/",
    "127.0.0.1",
];

fn assert_tells_nothing_inside(text: &str, question: &str) {
    for inside in INSIDE {
        assert!(!text.contains(inside) || question.contains(inside), "{inside}: {text}");
    }
}

/// A GraphQL string literal.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// A server on a test's database with settings of its own.
fn server(app: &TestApp, change: impl FnOnce(&mut Config)) -> Router {
    let mut config = config(app.database.url());
    change(&mut config);
    let app = App::build(config, app.database.db.clone(), Clock::fixed(now())).unwrap();
    pulso::http::router(Arc::clone(&app))
}

async fn sent(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 64 * 1024 * 1024).await.unwrap();
    (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
}

fn post(credential: Option<&str>, body: &Json) -> Request<Body> {
    let mut request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json");
    if let Some(credential) = credential {
        request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
    }
    request.body(Body::from(body.to_string())).unwrap()
}

async fn ask(app: &TestApp, credential: Option<&str>, query: &str) -> Json {
    app.request(post(credential, &json!({ "query": query }))).await.json()
}

/// Filters of a field that compare it with a text; whether they find everything but the text.
fn comparisons(kind: Kind, text: &str) -> Vec<(String, bool)> {
    let found = |operator: &str| (format!("{operator}: {}", quoted(text)), false);
    let text = quoted(text);
    match kind {
        Kind::Text => {
            let mut all: Vec<_> =
                ["eq", "contains", "startsWith", "endsWith"].map(found).into_iter().collect();
            all.push((format!("in: [{text}, {text}]"), false));
            all.push((format!("ne: {text}"), true));
            all.push((format!("notIn: [{text}]"), true));
            all
        }
        Kind::Code => vec![
            found("eq"),
            found("startsWith"),
            (format!("in: [{text}]"), false),
            (format!("ne: {text}"), true),
        ],
        Kind::Json => vec![
            (format!("path: [{text}], isNull: false"), false),
            (format!("path: [\"a\", {text}], eq: {text}"), false),
            (format!("path: [\"a\"], contains: {text}"), false),
            (format!("path: [{text}, \"0\"], arrayContains: {text}"), false),
            (format!("path: [{text}], ne: {text}"), true),
        ],
        _ => Vec::new(),
    }
}

both_databases! {
    // ---- Input validation --------------------------------------------------------------------

    /// Types, ranges and lengths: what is not understood is refused, with the field that is to blame.
    async fn input_validation(app: TestApp) {
        let key = Some(app.alpha.admin.key.as_str());
        let long = "x".repeat(limits::TEXT_CHARS_MAX + 1);
        for (input, refused) in [
            ("{ name: 7, source: \"s\" }".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
            ("{ name: \"a\", source: \"s\", isAdmin: true }".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
            ("{ name: \"a\" }".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
            ("{ source: \"s\", score: 101 }".to_owned(), "INVALID"),
            ("{ source: \"s\", status: \"NEW; DROP\" }".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
            ("{ source: \"s\", companyId: \"1 OR 1=1\" }".to_owned(), "INVALID"),
            ("{ source: \"s\", name: \"a\\u0000b\" }".to_owned(), "INVALID"),
            (format!("{{ source: \"s\", notes: \"{long}\" }}"), "LIMIT_EXCEEDED"),
        ] {
            let query = format!("mutation {{ leadCreate(input: {input}) {{ id }} }}");
            let answer = ask(&app, key, &query).await;
            let told = code(&answer).unwrap_or_default();
            let shown: String = query.chars().take(200).collect();
            assert!(told == refused || (told == "INVALID" && refused != "INVALID"), "{shown}\n{answer:#}");
        }
        assert_eq!(app.count(&app.alpha, "leads").await, 0);
    }

    /// Every operator of every text, code and JSON field of every record, with every payload: texts
    /// stay texts. None finds anything but what it names, none breaks the statement.
    async fn injection_in_filters(app: TestApp) {
        let (alpha, key) = (&app.alpha, Some(app.alpha.admin.key.as_str()));
        one_of_each(&app, alpha, &alpha.admin).await;
        let mut fields = Vec::new();
        for record in records().filter(|record| !record.is_virtual()) {
            for field in record.fields.iter().filter(|field| field.filter) {
                for payload in PAYLOADS {
                    for (comparison, others) in comparisons(field.kind, payload) {
                        let filter = format!("{}: {{ {comparison} }}", field.name);
                        let text = format!("{}(filter: {{ {filter} }}) {{ totalCount }}", record.plural);
                        fields.push((text, others));
                    }
                }
            }
        }
        assert!(fields.len() > 1_000, "{}", fields.len());
        for part in fields.chunks(40) {
            let asked: Vec<String> =
                part.iter().enumerate().map(|(n, (text, _))| format!("f{n}: {text}")).collect();
            let query = format!("{{ {} }}", asked.join("\n"));
            let answer = ask(&app, key, &query).await;
            assert!(answer.get("errors").is_none(), "{query}\n{answer:#}");
            for (number, (text, others)) in part.iter().enumerate() {
                let found = answer["data"][format!("f{number}")]["totalCount"].as_i64().unwrap();
                assert!(if *others { found > 0 } else { found == 0 }, "{text}: {found}");
            }
        }
    }

    /// The same in what is stored and read back, in searches, orders, cursors, groups, zones, ids,
    /// variables and headers.
    async fn injection_everywhere_else(app: TestApp) {
        let (alpha, key) = (&app.alpha, app.alpha.admin.key.as_str());
        for payload in PAYLOADS {
            let input = json!({ "input": { "name": payload, "source": "s", "metadata": { payload: payload } } });
            let made = app.done(key, "leadCreate", input, "{ id name metadata }").await;
            assert_eq!((&made["name"], &made["metadata"][payload]), (&json!(payload), &json!(payload)));
            let filter = json!({ "f": { "name": { "eq": payload } }, "s": payload });
            let query = "query($f: LeadFilter, $s: String) { leads(filter: $f) { totalCount } \
                         s: leads(search: $s) { totalCount } }";
            assert_eq!(app.data(key, query, filter).await["leads"]["totalCount"], 1);
            let text = quoted(payload);
            let cursor = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("[{text},{text}]"));
            for query in [
                format!("{{ leads(after: {text}) {{ totalCount }} }}"),
                format!("{{ leads(after: \"{cursor}\") {{ totalCount }} }}"),
                format!("{{ leads(orderBy: [{{ field: {text} }}]) {{ totalCount }} }}"),
                format!("{{ leadGroups(by: [{{ field: {text} }}]) {{ totalCount }} }}"),
                format!("{{ leadFunnel(timeZone: {text}) {{ nodes {{ __typename }} }} }}"),
                format!("{{ lead(id: {text}) {{ id }} }}"),
                format!("mutation {{ roleCreate(input: {{ name: {text}, permissions: {{}} }}) {{ id }} }}"),
            ] {
                let answer = ask(&app, Some(key), &query).await;
                assert!(code(&answer).is_some(), "{query}\n{answer:#}");
                assert_tells_nothing_inside(&answer.to_string(), &query);
            }
            let Ok(value) = header::HeaderValue::from_bytes(payload.as_bytes()) else { continue };
            for name in ["x-request-id", "accept-language", "idempotency-key", "x-forwarded-for", "user-agent"] {
                let mut request = post(Some(key), &json!({ "query": "{ leads { totalCount } }" }));
                request.headers_mut().insert(header::HeaderName::from_static(name), value.clone());
                let answer = app.request(request).await;
                assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text());
            }
        }
        assert_eq!(app.count(alpha, "leads").await, i64::try_from(PAYLOADS.len()).unwrap());
    }

    // ---- Denial of service -------------------------------------------------------------------

    async fn query_depth_limiting(app: TestApp) {
        let key = Some(app.alpha.admin.key.as_str());
        let deep = |levels: usize| {
            let open = "company { leads { nodes { ".repeat(levels);
            format!("{{ leads {{ nodes {{ {open} id {} }} }} }}", "} } }".repeat(levels))
        };
        assert_eq!(code(&ask(&app, key, &deep(20)).await), Some("LIMIT_EXCEEDED"));
        assert_eq!(code(&ask(&app, key, &deep(1)).await), None);
        // Deeper than any parser should follow, in braces, lists and objects.
        for (open, close) in [("{ a ", "}"), ("{ a(x: [", "])}"), ("{ a(x: {y: ", "})}")] {
            let query = format!("{}{}", open.repeat(50_000), close.repeat(50_000));
            let answer = ask(&app, None, &query).await;
            assert!(code(&answer).is_some(), "{answer:#}");
        }
    }

    /// How many rows are asked for: per page, over all pages of an operation, values of a list.
    async fn amount_limiting_and_pagination(app: TestApp) {
        let key = Some(app.alpha.admin.key.as_str());
        for (query, refused) in [
            ("{ leads(first: 1001) { nodes { id } } }", "INVALID"),
            ("{ leads(first: -1) { nodes { id } } }", "INVALID"),
            ("{ leads { countUpTo(limit: 100001) { count } } }", "INVALID"),
            (
                "{ companies(first: 1000) { nodes { leads(first: 1000) { nodes { id } } } } }",
                "LIMIT_EXCEEDED",
            ),
        ] {
            let answer = ask(&app, key, query).await;
            let told = code(&answer).unwrap_or_default();
            assert!([refused, "LIMIT_EXCEEDED", "INVALID"].contains(&told), "{query}\n{answer:#}");
        }
        for rows in 0..60 {
            app.lead(&app.alpha, &format!("L{rows}"), &[]).await;
        }
        let page = ask(&app, key, "{ leads { nodes { id } } }").await;
        let rows = page["data"]["leads"]["nodes"].as_array().unwrap().len();
        assert_eq!(u64::try_from(rows).unwrap(), limits::PAGE_ROWS_DEFAULT);
    }

    async fn aliases_are_limited(app: TestApp) {
        let many: String = (0..=limits::QUERY_ALIASES_MAX).map(|n| format!(" a{n}: __typename")).collect();
        let answer = ask(&app, None, &format!("{{{many} }}")).await;
        assert_eq!(code(&answer), Some("LIMIT_EXCEEDED"), "{answer:#}");
        // Through fragments too.
        let below: String = (0..60).map(|n| format!(" a{n}: id")).collect();
        let query = format!("{{ leads {{ nodes {{ ...F }} x: nodes {{ ...F }} }} }} fragment F on Lead {{{below} }}");
        let answer = ask(&app, Some(&app.alpha.admin.key), &query).await;
        assert_eq!(code(&answer), Some("LIMIT_EXCEEDED"), "{answer:#}");
    }

    async fn directives_are_limited(app: TestApp) {
        for directive in [" @include(if: true)", " @aa"] {
            let query = format!("{{ __typename{} }}", directive.repeat(1_000));
            assert!(code(&ask(&app, None, &query).await).is_some(), "{directive}");
        }
        let query = format!("{{ __typename{} }}", " @include(if: true)".repeat(limits::QUERY_DIRECTIVES_MAX + 1));
        assert_eq!(code(&ask(&app, None, &query).await), Some("LIMIT_EXCEEDED"));
    }

    async fn fragments_cannot_multiply_or_go_in_circles(app: TestApp) {
        let circle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
        assert!(code(&ask(&app, None, circle).await).is_some());
        // Each doubles the one before: a million fields in a kilobyte.
        let mut query = "{ leads { nodes { ...F0 } } }".to_owned();
        for n in 0..20 {
            let next = n + 1;
            query += &format!(" fragment F{n} on Lead {{ a{n}: company {{ leads {{ nodes {{ ...F{next} }} x: nodes {{ ...F{next} }} }} }} }}");
        }
        query += " fragment F20 on Lead { id }";
        assert_eq!(code(&ask(&app, Some(&app.alpha.admin.key), &query).await), Some("LIMIT_EXCEEDED"));
        let many: String = (0..=limits::QUERY_FRAGMENTS_MAX)
            .map(|n| format!(" fragment G{n} on Query {{ __typename }}"))
            .collect();
        assert_eq!(code(&ask(&app, None, &format!("{{ __typename }}{many}")).await), Some("LIMIT_EXCEEDED"));
    }

    async fn documents_and_bodies_are_limited(app: TestApp) {
        let tokens = format!("{{ {} }}", "a ".repeat(limits::QUERY_TOKENS_MAX + 1));
        assert_eq!(code(&ask(&app, None, &tokens).await), Some("LIMIT_EXCEEDED"));
        let long = "x".repeat(limits::HTTP_BODY_BYTES_MAX + 1);
        let answer = app.request(post(None, &json!({ "query": long }))).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        let introspection = format!("{{ __schema {{ types {{ {} }} }} }}", "name ".repeat(limits::INTROSPECTION_FIELDS_MAX + 1));
        let answer = ask(&app, Some(&app.alpha.admin.key), &introspection).await;
        assert_eq!(code(&answer), Some("LIMIT_EXCEEDED"), "{answer:#}");
    }

    async fn query_cost_analysis(app: TestApp) {
        // What may cost more than the limit holds is refused before anything is read.
        let router = server(&app, |config| config.limits.rate_key_per_minute = 20);
        let query = "{ companies(first: 100) { nodes { leads(first: 100) { nodes { id } } } } }";
        let asked = post(Some(&app.alpha.admin.key), &json!({ "query": query }));
        let (_, _, text) = sent(&router, asked).await;
        let answer: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(code(&answer), Some("LIMIT_EXCEEDED"), "{text}");
        assert_eq!(answer["extensions"]["cost"]["statements"], 0);
    }

    async fn rate_limiting(app: TestApp) {
        let router = server(&app, |config| config.limits.rate_key_per_minute = 3);
        let mut last = StatusCode::OK;
        let mut retry = None;
        for _ in 0..5 {
            let asked = post(Some(&app.alpha.admin.key), &json!({ "query": "{ __typename }" }));
            let (status, headers, _) = sent(&router, asked).await;
            last = status;
            retry = headers.get(header::RETRY_AFTER).cloned();
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
        assert!(retry.is_some());
    }

    async fn timeouts(app: TestApp) {
        let router = server(&app, |config| config.server.request_timeout_ms = 20);
        // An answer that takes its time by design.
        let query = "mutation { passwordResetRequest(tenant: \"alpha\", email: \"a@b.example\") }";
        let (status, _, text) = sent(&router, post(None, &json!({ "query": query }))).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
        assert!(text.contains("UNAVAILABLE"), "{text}");
        assert_tells_nothing_inside(&text, "");
    }

    async fn batches_are_limited(app: TestApp) {
        let part = json!({ "query": "{ __typename }" });
        let many = json!(vec![part; limits::HTTP_BATCH_MAX + 1]);
        assert_eq!(app.request(post(None, &many)).await.status, StatusCode::BAD_REQUEST);
        let roots: String = (0..=limits::QUERY_ROOT_FIELDS_MAX).map(|n| format!(" a{n}: __typename")).collect();
        assert_eq!(code(&ask(&app, None, &format!("{{{roots} }}")).await), Some("LIMIT_EXCEEDED"));
    }

    // ---- Batching attacks --------------------------------------------------------------------

    /// Many guesses in one request, by alias or by batch, are counted one by one, or not made.
    async fn batching_attacks_on_login(app: TestApp) {
        let email = &app.alpha.comercial.email;
        let login = |password: &str| {
            format!("login(tenant: \"alpha\", email: \"{email}\", password: \"{password}\") {{ accessToken }}")
        };
        let guesses = |alias: &str| -> String {
            (0..20).map(|n| format!(" {alias}{n}: {}", login(&format!("wrong {n}")))).collect()
        };
        let mut codes = Vec::new();
        for round in 0..6 {
            // The right one comes last; it must not be reached by paying for one request.
            let query = format!("mutation {{{} right: {} }}", guesses(&format!("g{round}x")), login(PASSWORD));
            let answer = ask(&app, None, &query).await;
            assert!(answer["data"]["right"]["accessToken"].is_null(), "{answer:#}");
            codes.extend(answer["errors"].as_array().unwrap().iter().map(|e| e["extensions"]["code"].clone()));
        }
        assert!(codes.contains(&json!("RATE_LIMITED")), "{codes:?}");
        let counted = codes.iter().filter(|code| **code == "UNAUTHENTICATED").count();
        assert!(i64::try_from(counted).unwrap() <= limits::GUESSES_PER_ACCOUNT, "{codes:?}");

        // As a batch, for another account.
        let email = &app.beta.comercial.email;
        let part = |password: &str| {
            let query = format!(
                "mutation {{ login(tenant: \"beta\", email: \"{email}\", password: \"{password}\") {{ accessToken }} }}"
            );
            json!({ "query": query })
        };
        let mut batch = vec![part("wrong"); limits::HTTP_BATCH_MAX - 1];
        batch.push(part(PASSWORD));
        let answer = app.request(post(None, &json!(batch))).await;
        let text = answer.text();
        assert!(text.contains("RATE_LIMITED"), "{text}");
        assert!(!text.contains("\"accessToken\":\"e"), "{text}");
    }

    // ---- Access control ----------------------------------------------------------------------

    /// Ids of others are not found, by whatever way they are asked for.
    async fn insecure_direct_object_references(app: TestApp) {
        let (alpha, beta) = (&app.alpha, &app.beta);
        let ids = one_of_each(&app, alpha, &alpha.diretor).await;
        let own = app.key_with(alpha, alpha.comercial.id, everywhere("own")).await;
        let (lead, deal) = (ids["Lead"], ids["Deal"]);
        for key in [&beta.admin.key, &own] {
            for query in [
                format!("{{ lead(id: \"{lead}\") {{ id }} }}"),
                format!("mutation {{ leadUpdate(id: \"{lead}\", input: {{ name: \"x\" }}) {{ id }} }}"),
                format!("mutation {{ dealDestroy(id: \"{deal}\") }}"),
                format!("mutation {{ leadCreateMany(inputs: [{{ source: \"s\", companyId: \"{deal}\" }}]) {{ error {{ code }} }} }}"),
            ] {
                let answer = ask(&app, Some(key), &query).await;
                assert_eq!(code(&answer), Some("NOT_FOUND"), "{query}\n{answer:#}");
            }
        }
        // Relations end where one's own lists do.
        let list = "{ leads { nodes { assignee { email } company { name } } } }";
        let answer = app.data(&beta.admin.key, list, json!({})).await;
        assert_eq!(answer["leads"]["nodes"], json!([]));
    }

    async fn mutations_ask_for_their_own_right(app: TestApp) {
        let alpha = &app.alpha;
        let reader = json!({ "leads": { "read": "all" } });
        let reader = app.key_with(alpha, alpha.comercial.id, reader).await;
        let lead = app.lead(alpha, "Ana", &[]).await;
        let seen = app.trail(alpha).await;
        for query in [
            "mutation { leadCreate(input: { source: \"s\" }) { id } }".to_owned(),
            format!("mutation {{ leadDelete(id: \"{lead}\") {{ id }} }}"),
            format!("mutation {{ leadScore(id: \"{lead}\", score: 1) {{ id }} }}"),
            "mutation { apiKeyCreate(input: { name: \"k\", role: \"admin\" }) { secret } }".to_owned(),
        ] {
            let answer = ask(&app, Some(&reader), &query).await;
            assert_eq!(code(&answer), Some("FORBIDDEN"), "{query}\n{answer:#}");
        }
        assert!(app.trail(alpha).await.since(&seen).is_empty());
    }

    // ---- Secure configurations ---------------------------------------------------------------

    async fn introspection_is_closed_for_nobody(app: TestApp) {
        let whole = "{ __schema { types { name fields { name } } } }";
        assert_eq!(code(&ask(&app, None, whole).await), Some("INTROSPECTION_DISABLED"));
        assert_eq!(code(&ask(&app, None, "{ __type(name: \"User\") { name } }").await), Some("INTROSPECTION_DISABLED"));
        assert_eq!(code(&ask(&app, Some(&app.alpha.comercial.key), whole).await), None);
    }

    /// Who may not ask for the schema is not helped to guess it.
    async fn suggestions_are_for_who_sees_the_schema(app: TestApp) {
        let off = server(&app, |config| config.graphql.introspection = Introspection::Off);
        let public = server(&app, |config| config.graphql.introspection = Introspection::Public);
        let usual = server(&app, |_| ());
        let key = Some(app.alpha.comercial.key.as_str());
        for query in ["{ leadz { nodes { id } } }", "{ leads(frst: 1) { nodes { id } } }"] {
            for (router, credential, helps) in [
                (&usual, None, false),
                (&usual, key, true),
                (&off, None, false),
                (&off, key, false),
                (&public, None, true),
            ] {
                let (_, _, text) = sent(router, post(credential, &json!({ "query": query }))).await;
                assert!(text.contains("errors"), "{text}");
                assert_eq!(text.contains("Did you mean"), helps, "{query} {credential:?} {text}");
            }
        }
    }

    /// A failure of the inside is told as one, and nothing else is.
    async fn errors_are_not_excessive(app: TestApp) {
        app.write_sql("ALTER TABLE deal_activities RENAME TO somewhere_else", Vec::new()).await;
        let key = Some(app.alpha.admin.key.as_str());
        for query in [
            "{ dealActivities { nodes { id } } }",
            "{ deals { nodes { activities { nodes { id } } } } dealActivityAggregate { count } }",
        ] {
            let answer = ask(&app, key, query).await;
            assert_eq!(code(&answer), Some("INTERNAL"), "{answer:#}");
            assert_tells_nothing_inside(&answer.to_string(), query);
            assert!(!answer.to_string().contains("deal_activities"), "{answer:#}");
        }
        for path in ["/nowhere", "/graphql?query=%00", "/graphql?variables=%7B"] {
            assert_tells_nothing_inside(&app.get(path).await.text(), "");
        }
    }

    async fn graphiql_is_a_page_without_rights_that_can_be_closed(app: TestApp) {
        let page = || {
            let request = Request::get("/graphql").header(header::ACCEPT, "text/html");
            request.body(Body::empty()).unwrap()
        };
        let answer = app.request(page()).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!answer.text().contains(&app.alpha.slug.to_owned()));
        let closed = server(&app, |config| config.graphql.graphiql = false);
        let (status, headers, _) = sent(&closed, page()).await;
        assert_ne!(status, StatusCode::OK);
        assert_ne!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    }

    /// No form, image or link of another site can cause anything.
    async fn cross_site_requests(app: TestApp) {
        let mutation = json!({ "query": "mutation { logout }" }).to_string();
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let request = Request::post("/graphql").header(header::CONTENT_TYPE, kind);
            let answer = app.request(request.body(Body::from(mutation.clone())).unwrap()).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        }
        let key = format!("Bearer {}", app.alpha.admin.key);
        let request = Request::get("/graphql?query=mutation%7BleadCreate(input%3A%7Bsource%3A%22s%22%7D)%7Bid%7D%7D")
            .header(header::AUTHORIZATION, key)
            .body(Body::empty())
            .unwrap();
        assert_eq!(app.request(request).await.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(app.count(&app.alpha, "leads").await, 0);
        // A cookie by itself is nobody.
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::COOKIE, format!("pulso_access={}", app.alpha.admin.key))
            .body(Body::from(json!({ "query": "{ me { roles } }" }).to_string()))
            .unwrap();
        assert!(app.request(request).await.json()["data"]["me"].is_null());
    }
}
