//! Pages in a real browser: the session that only cookies hold, other sites that want to use it, and
//! the query explorer.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

use crate::support::browser::{Browser, Page};
use crate::support::node::Node;
use crate::support::seed::PASSWORD;
use crate::support::{TestApp, both_databases};

const ME: &str = "{ me { user { email } } }";

/// A server whose pages are not to be trusted; its port.
#[expect(clippy::disallowed_methods, reason = "another server than the one that is tested")]
async fn stranger() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let page =
        || async { Html("<!doctype html><title>stranger</title><iframe name=out></iframe>") };
    let pages = Router::new().route("/", get(page));
    tokio::spawn(async move { axum::serve(listener, pages).await });
    port
}

async fn who(page: &Page) -> Json {
    page.graphql(ME).await["data"]["me"]["user"]["email"].take()
}

/// Everything that another page can try with a browser in which somebody is signed in.
async fn attack(page: &Page, victim: &str) {
    let body = json!({ "query": "mutation { logout }", "rest": "" }).to_string();
    let (name, value) = body.split_at(body.len() - 2);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        page.evaluate(&format!(
            "new Promise(done => {{ \
               const form = document.createElement('form'), field = document.createElement('input'); \
               form.method = 'post'; form.enctype = '{kind}'; form.target = 'out'; \
               form.action = '{victim}/graphql'; \
               field.name = {}; field.value = {}; form.append(field); document.body.append(form); \
               document.querySelector('iframe').onload = () => done(null); form.submit(); }})",
            json!(name),
            json!(value)
        ))
        .await;
    }
    let headers = [
        json!({ "content-type": "text/plain" }),
        json!({ "content-type": "application/json" }),
        json!({ "content-type": "application/json", "x-session-mode": "cookie" }),
    ];
    for headers in headers {
        for mode in ["cors", "no-cors"] {
            let told = page
                .evaluate(&format!(
                    "fetch('{victim}/graphql', {{ method: 'POST', credentials: 'include', \
                     mode: '{mode}', headers: {headers}, body: {} }}) \
                     .then(answer => answer.text(), () => '').then(text => text)",
                    json!(body)
                ))
                .await;
            assert_eq!(told, "", "{mode} {headers}: nothing is to be read");
        }
    }
    page.evaluate(&format!(
        "new Promise(done => {{ const image = new Image(); \
         image.onload = image.onerror = () => done(null); \
         image.src = '{victim}/graphql?query=mutation%20%7B%20logout%20%7D'; }})"
    ))
    .await;
}

both_databases! {
    async fn a_session_in_cookies_is_the_pages_own(app: TestApp) {
        // Pages of other origins of this machine are not trusted, as they are by default.
        let settings = [("PULSO_CORS_ORIGINS", "https://app.example.com")];
        let node = Node::start(app.database.url(), &settings);
        let (browser, email) = (Browser::start().await, &app.alpha.admin.email);
        let page = browser.open(&format!("{}/graphql", node.url)).await;
        assert_eq!(who(&page).await, Json::Null);

        let login = format!(
            "mutation {{ login(tenant: \"alpha\", email: \"{email}\", password: \"{PASSWORD}\") \
             {{ accessToken refreshToken expiresAt }} }}"
        );
        let session = page.graphql(&login).await["data"]["login"].take();
        assert!(session["expiresAt"].is_string(), "{session}");
        assert!(session["accessToken"].is_null() && session["refreshToken"].is_null(), "{session}");
        assert_eq!(who(&page).await, json!(email));
        // No script of the page can take them along.
        assert_eq!(page.evaluate("document.cookie").await, "");
        let cookies = page.cookies(&node.url).await;
        assert_eq!(cookies.len(), 2, "{cookies:?}");
        for cookie in &cookies {
            let kept = (&cookie["httpOnly"], &cookie["sameSite"], &cookie["path"]);
            assert_eq!(kept, (&json!(true), &json!("Strict"), &json!("/")), "{cookie}");
        }
        // Without the header they are not looked at.
        let plain = "fetch('/graphql', { method: 'POST', headers: { 'content-type': 'application/json' }, \
                     body: '{\"query\":\"{ me { roles } }\"}' }).then(answer => answer.json())";
        assert_eq!(page.evaluate(plain).await["data"]["me"], Json::Null);

        // Another site, and another port of the same host, whose requests carry the cookies.
        let port = stranger().await;
        for origin in [format!("http://localhost:{port}"), format!("http://127.0.0.1:{port}")] {
            let other = browser.open(&origin).await;
            attack(&other, &node.url).await;
            assert_eq!(who(&page).await, json!(email), "{origin} ended the session");
        }

        // The end is the end, also for a copy of the cookies.
        assert_eq!(page.graphql("mutation { logout }").await["data"]["logout"], true);
        assert_eq!(page.cookies(&node.url).await, Vec::<Json>::new());
        assert_eq!(who(&page).await, Json::Null);
        for cookie in cookies {
            let kept = json!({ "name": cookie["name"], "value": cookie["value"], "url": node.url });
            page.ask("Network.setCookie", kept).await;
        }
        assert_eq!(who(&page).await, Json::Null);
        let refreshed = page.graphql("mutation { sessionRefresh { expiresAt } }").await;
        assert_eq!(refreshed["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }

    async fn the_explorer_works_and_complains_of_nothing(app: TestApp) {
        let node = Node::start(app.database.url(), &[]);
        let browser = Browser::start().await;
        let page = browser.open(&format!("{}/graphql", node.url)).await;
        page.until("document.querySelector('#docs').textContent.includes('could not be read')").await;
        let give = |id: &str, text: &str| {
            format!("(box => {{ box.value = {}; box.dispatchEvent(new Event('input')); \
                     box.dispatchEvent(new Event('change')); }})(document.getElementById('{id}'))", json!(text))
        };
        page.evaluate(&give("token", &app.alpha.admin.key)).await;
        page.until("document.querySelector('#docs h2')?.textContent === 'Query'").await;
        page.evaluate(&give("query", "{ tenant { slug } }")).await;
        page.evaluate("document.getElementById('run').click()").await;
        page.until("document.getElementById('response').textContent.includes('\"slug\": \"alpha\"')").await;
        assert_eq!(page.complaints().await, Vec::<String>::new());
        // Its policy holds: no script but its own, and no other server.
        let from_outside = "fetch('http://127.0.0.1:9/').then(() => 'read', () => 'refused')";
        assert_eq!(page.evaluate(from_outside).await, "refused");
        assert!(page.complaints().await.iter().any(|told| told.contains("Content Security Policy")));
    }
}
