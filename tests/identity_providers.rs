//! Naming identity providers: who may, what is refused, and that their secrets lie sealed.

use axum::body::Body;
use clap::Parser as _;
use pulso::app::App;
use pulso::cli::admin::{Admin, execute};
use pulso::config::{MasterKeys, Secret};
use serde_json::{Value as Json, json};

use crate::support::app::config;
use crate::support::{TestApp, both_databases};

const CREATE: &str = "mutation($input: IdentityProviderCreateInput!) { \
                      identityProviderCreate(input: $input) { \
                      id slug name issuer clientId hasClientSecret scopes emailDomains createsUsers \
                      role isEnabled signInUrl callbackUrl } }";
const UPDATE: &str = "mutation($id: ID!, $input: IdentityProviderUpdateInput!) { \
                      identityProviderUpdate(id: $id, input: $input) { \
                      name issuer hasClientSecret role createsUsers } }";
const DELETE: &str = "mutation($id: ID!) { identityProviderDelete(id: $id) }";
const CANARY: &str = "canary-of-a-client-secret";

fn google() -> Json {
    json!({
        "slug": "google", "name": "Google", "issuer": "https://accounts.google.com",
        "clientId": "1234.apps.googleusercontent.com", "clientSecret": CANARY,
    })
}

fn with(change: &Json) -> Json {
    let mut input = google();
    input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    json!({ "input": input })
}

async fn made(app: &TestApp) -> Json {
    let key = &app.alpha.admin.key;
    app.data(key, CREATE, json!({ "input": google() })).await["identityProviderCreate"].take()
}

async fn stored(app: &TestApp) -> String {
    let sql = "SELECT client_secret FROM identity_providers WHERE tenant_id = ?";
    app.read_sql(&app.alpha, sql, Vec::new()).await[0].text(0).unwrap().unwrap()
}

/// `pulso admin …`, as an operator types it.
pub fn command(words: &[&str]) -> Admin {
    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(subcommand)]
        command: Admin,
    }
    CommandLine::try_parse_from([&["pulso"], words].concat()).unwrap().command
}

both_databases! {
    async fn a_provider_is_named_changed_and_taken_away(app: TestApp) {
        let key = &app.alpha.admin.key;
        let provider = made(&app).await;
        let id = provider["id"].clone();
        let mut expected = google();
        let fields = expected.as_object_mut().unwrap();
        fields.remove("clientSecret");
        fields.extend(
            json!({
                "id": id, "hasClientSecret": true, "scopes": ["openid", "email", "profile"],
                "emailDomains": [], "createsUsers": false, "role": null, "isEnabled": true,
                "signInUrl": "http://localhost:8000/auth/oidc/alpha/google",
                "callbackUrl": "http://localhost:8000/auth/oidc/alpha/google/callback",
            })
            .as_object()
            .unwrap()
            .clone(),
        );
        assert_eq!(provider, expected);
        let again = app.error_code(key, CREATE, json!({ "input": google() })).await;
        assert_eq!(again, "CONFLICT");

        let input = json!({ "name": "G", "createsUsers": true, "role": "comercial" });
        let changed = app.data(key, UPDATE, json!({ "id": id, "input": input })).await;
        let changed = &changed["identityProviderUpdate"];
        assert_eq!(changed["role"], "comercial");
        assert_eq!(changed["hasClientSecret"], true);
        let no_role = json!({ "id": id, "input": { "role": null } });
        assert_eq!(app.error_code(key, UPDATE, no_role).await, "INVALID");
        // A secret is not carried to whoever is named instead.
        let moved = json!({ "id": id, "input": { "issuer": "https://login.example.com" } });
        let moved = app.data(key, UPDATE, moved).await;
        assert_eq!(moved["identityProviderUpdate"]["hasClientSecret"], false);

        let trail = app.trail(&app.alpha).await;
        let about = trail.audits.iter().filter(|entry| entry.resource == "identity_providers");
        let actions: Vec<&str> = about.map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["identity_provider.create", "identity_provider.update", "identity_provider.update"]);
        assert_eq!(app.error_code(&app.beta.admin.key, DELETE, json!({ "id": id })).await, "NOT_FOUND");
        assert_eq!(app.data(key, DELETE, json!({ "id": id })).await["identityProviderDelete"], id);
        assert_eq!(app.error_code(key, DELETE, json!({ "id": id })).await, "NOT_FOUND");
        assert_eq!(app.count(&app.alpha, "identity_providers").await, 0);
    }

    async fn settings_that_make_no_sense_are_refused(app: TestApp) {
        let wrong = [
            ("slug", json!("G")),
            ("name", json!("")),
            ("issuer", json!("accounts.google.com")),
            ("issuer", json!("http://accounts.google.com")),
            ("issuer", json!("https://accounts.google.com?x=1")),
            ("issuer", json!("https://me:pw@accounts.google.com")),
            ("issuer", json!("https://localhost:9000")),
            ("issuer", json!("https://169.254.169.254")),
            ("clientId", json!("")),
            ("clientSecret", json!(" spaces ")),
            ("scopes", json!(["email"])),
            ("scopes", json!(["openid", "a b"])),
            ("emailDomains", json!(["@example.com"])),
            ("emailDomains", json!(["example"])),
            ("createsUsers", json!(true)),
            ("role", json!("nobody")),
        ];
        for (field, value) in wrong {
            let answer = app.graphql(&app.alpha.admin.key, CREATE, with(&json!({ field: value }))).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID", "{field}: {answer}");
        }
        for number in 0..pulso::limits::IDENTITY_PROVIDERS_MAX {
            app.data(&app.alpha.admin.key, CREATE, with(&json!({ "slug": format!("p{number}") }))).await;
        }
        let one_more = app.error_code(&app.alpha.admin.key, CREATE, json!({ "input": google() })).await;
        assert_eq!(one_more, "LIMIT_EXCEEDED");
    }

    /// Whoever names a provider decides who everybody is.
    async fn only_who_may_do_everything_names_providers(app: TestApp) {
        let alpha = &app.alpha;
        let nearly = json!({ "tenants": { "read": "all", "update": "all" }, "users": { "read": "all" } });
        let nearly = app.key_with(alpha, alpha.comercial.id, nearly).await;
        let id = made(&app).await["id"].clone();
        assert_eq!(app.error_code(&nearly, CREATE, with(&json!({ "slug": "mine" }))).await, "FORBIDDEN");
        let change = json!({ "id": id, "input": { "name": "X" } });
        assert_eq!(app.error_code(&nearly, UPDATE, change).await, "FORBIDDEN");
        assert_eq!(app.error_code(&nearly, DELETE, json!({ "id": id })).await, "FORBIDDEN");
        let seen = app.data(&nearly, "{ identityProviders { slug } }", json!({})).await;
        assert_eq!(seen["identityProviders"], json!([{ "slug": "google" }]));
    }

    async fn a_client_secret_is_in_no_table_and_no_answer(app: TestApp) {
        let provider = made(&app).await;
        let change = json!({ "id": provider["id"], "input": { "clientSecret": format!("{CANARY}-2") } });
        app.data(&app.alpha.admin.key, UPDATE, change).await;
        let whole = app.whole(&app.alpha).await;
        assert!(whole.rows() > 10);
        assert_eq!(whole.tables_with(CANARY), Vec::<String>::new());
        assert!(stored(&app).await.starts_with("v1."));
        let listed = app.graphql(
            &app.alpha.admin.key,
            "{ identityProviders { slug hasClientSecret } auditLogs { nodes { newValues oldValues } } }",
            json!({}),
        );
        assert!(!listed.await.to_string().contains(CANARY));
        if let Some(path) = app.app.config.database.url.file() {
            for file in [path.clone(), path.with_extension("db-wal")] {
                let bytes = std::fs::read(&file).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes);
                assert!(!text.contains(CANARY), "{}", file.display());
            }
        }
    }

    /// From one key to the next without a moment in which a secret cannot be read.
    async fn master_keys_rotate(app: TestApp) {
        made(&app).await;
        let old = stored(&app).await;
        let (first, second) = ("a master key for tests: 32 bytes at least", "b".repeat(32));
        let node = |keys: &[&str]| {
            let mut config = config(app.database.url());
            let keys = keys.iter().map(|key| Secret::new(*key)).collect();
            config.identity.master_keys = MasterKeys::new(keys);
            App::build(config, app.database.db.clone(), app.app.clock.clone()).unwrap()
        };
        let rotate = || command(&["secrets", "rotate"]);
        let both = node(&[&second, first]);
        assert_eq!(execute(&both, rotate()).await.unwrap().lines, ["1 resealed"]);
        let new = stored(&app).await;
        assert_ne!(old, new);
        assert_eq!(execute(&both, rotate()).await.unwrap().lines, ["0 resealed"]);
        assert_eq!(stored(&app).await, new);
        // The second is enough now; the first alone is not, and says so.
        assert_eq!(execute(&node(&[&second]), rotate()).await.unwrap().lines, ["0 resealed"]);
        let error = execute(&node(&[first]), rotate()).await.unwrap_err();
        let said = error.internal_cause().unwrap();
        assert!(said.contains("identity_providers") && said.contains("not among"), "{said}");
    }

    async fn a_secret_that_was_moved_to_another_row_does_not_open(app: TestApp) {
        made(&app).await;
        app.data(&app.alpha.admin.key, CREATE, with(&json!({ "slug": "other" }))).await;
        let sql = "UPDATE identity_providers SET client_secret = ? WHERE tenant_id = ? AND slug = ?";
        let moved = vec![stored(&app).await.as_str().into(), pulso::db::Value::Id(app.alpha.id), "other".into()];
        assert_eq!(app.write_sql(sql, moved).await, 1);
        let error = execute(&app.app, command(&["secrets", "rotate"])).await.unwrap_err();
        assert!(error.internal_cause().unwrap().contains("another place"), "{error}");
    }

    /// Without a master key everything works but storing secrets.
    async fn without_a_master_key_nothing_secret_is_stored(app: TestApp) {
        let mut config = config("postgres://localhost/none");
        config.identity.master_keys = MasterKeys::default();
        let node = App::build(config, app.database.db.clone(), app.app.clock.clone()).unwrap();
        let router = pulso::http::router(node);
        let ask = |input: Json| {
            let body = json!({ "query": CREATE, "variables": { "input": input } }).to_string();
            let request = axum::http::Request::post("/graphql")
                .header("authorization", format!("Bearer {}", app.alpha.admin.key))
                .header("content-type", "application/json")
                .body(Body::from(body))
                .unwrap();
            tower::ServiceExt::oneshot(router.clone(), request)
        };
        let text = |answer: axum::response::Response| async move {
            let bytes = axum::body::to_bytes(answer.into_body(), 100_000).await.unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let refused = text(ask(google()).await.unwrap()).await;
        assert!(refused.contains("UNSUPPORTED") && refused.contains("master_keys"), "{refused}");
        let mut public = google();
        public.as_object_mut().unwrap().remove("clientSecret");
        let made = text(ask(public).await.unwrap()).await;
        assert!(made.contains("\"hasClientSecret\":false"), "{made}");
    }
}
