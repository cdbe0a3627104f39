//! Signing out here and at the identity provider that a session came through.

use pulso::db::Value;
use serde_json::{Value as Json, json};

use crate::single_sign_on::{BEGIN, HOME, ME, Office};
use crate::support::both_databases;
use crate::support::issuer::Issuer;
use crate::support::provider::Provider;
use crate::support::visitor::{Browser, OWN};

const SIGN_OUT: &str = "mutation { signOut { providerUrl } }";

impl Office {
    /// A browser that came in through the provider.
    async fn visitor(&self, name: &str) -> Browser<'_> {
        let mut browser = Browser::new(&self.app);
        assert_eq!(browser.sign_in(BEGIN, name, HOME).await.0, HOME);
        browser
    }

    /// What a new visitor is told who signs out.
    async fn told(&self, name: &str) -> Json {
        let browser = self.visitor(name).await;
        let mut told = browser.ask(SIGN_OUT).await;
        is_out(&browser.ask(ME).await);
        told["data"]["signOut"]["providerUrl"].take()
    }
}

/// Cookies that open nothing are no obstacle: their browser is nobody's.
#[track_caller]
fn is_out(answer: &Json) {
    assert_eq!(answer["data"], json!({ "me": null }), "{answer:#}");
}

fn code(answer: &Json) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

both_databases! {
    async fn signing_out_ends_the_session_at_the_provider_too(office: Office) {
        let app = &office.app;
        let provider = Provider::start(&json!({}), false);
        office.trust(&app.alpha, &provider, json!({})).await;
        let mut browser = office.visitor(&app.alpha.comercial.email).await;
        // While the provider knows them, nobody is asked for a name.
        assert_eq!(browser.follow(BEGIN, HOME).await.0, HOME);

        let wrong = "mutation { signOut(returnTo: \"https://evil.example/\") { providerUrl } }";
        assert_eq!(code(&browser.ask(wrong).await), "INVALID");
        let me = browser.ask(ME).await;
        assert_eq!(me["data"]["me"]["user"]["id"], json!(app.alpha.comercial.id), "nothing was begun");
        let asked = "mutation { signOut(returnTo: \"/signed-out\", state: \"s&1\") { providerUrl } }";
        let told = browser.ask(asked).await;
        let url = told["data"]["signOut"]["providerUrl"].as_str().unwrap();
        let expected = format!(
            "{}/session/end?client_id=pulso&post_logout_redirect_uri={}&state=s%261",
            provider.issuer, "http%3A%2F%2Flocalhost%3A8000%2Fsigned-out"
        );
        assert_eq!(url, expected);
        is_out(&browser.ask(ME).await);

        let back = format!("{OWN}/signed-out");
        assert_eq!(browser.sign_out(url, &back).await, format!("{back}?state=s%261"));
        // Whoever comes next has to say who they are.
        let (at, page) = browser.follow(BEGIN, HOME).await;
        assert!(at.starts_with(&provider.issuer), "{at}");
        assert!(page.text.contains("name=\"login\""), "{}", page.text);
    }

    async fn an_app_is_told_where_to_send_its_browser(office: Office) {
        let app = &office.app;
        let provider = Provider::start(&json!({}), false);
        office.trust(&app.alpha, &provider, json!({})).await;
        let url = office.told(&app.alpha.comercial.email).await;
        let back = "post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A8000%2F";
        assert_eq!(url, format!("{}/session/end?client_id=pulso&{back}", provider.issuer));
    }

    /// The session here ends in any case.
    async fn where_there_is_no_page_nothing_is_told(office: Office) {
        let app = &office.app;
        let (person, admin) = (&app.alpha.comercial, &app.alpha.admin.key);
        let provider = Provider::start(&json!({}), false);
        let id = office.trust(&app.alpha, &provider, json!({})).await;
        let moved = async |issuer: &str| {
            let sql = "UPDATE identity_providers SET issuer = ? WHERE tenant_id = ?";
            app.write_sql(sql, vec![issuer.into(), Value::Id(app.alpha.id)]).await;
        };
        // One that describes no such page, one that does not answer, and one that was turned off.
        let without = Issuer::start(&[]).await;
        for issuer in [without.url.as_str(), "http://127.0.0.1:1"] {
            let browser = office.visitor(&person.email).await;
            moved(issuer).await;
            let told = browser.ask(SIGN_OUT).await;
            assert_eq!(told["data"]["signOut"], json!({ "providerUrl": null }), "{told:#}");
            is_out(&browser.ask(ME).await);
            moved(&provider.issuer).await;
        }
        let browser = office.visitor(&person.email).await;
        office.change(&id, json!({ "isEnabled": false })).await;
        let told = browser.ask(SIGN_OUT).await;
        assert_eq!(told["data"]["signOut"], json!({ "providerUrl": null }), "{told:#}");

        // A session that came by a password, and a key, which has none.
        let login = "mutation($e: String!, $p: String!) { login(tenant: \"alpha\", email: $e, \
                     password: $p) { accessToken } }";
        let password = crate::support::seed::PASSWORD;
        let given = json!({ "e": app.alpha.diretor.email, "p": password });
        let login = app.graphql(admin, login, given).await;
        let token = login["data"]["login"]["accessToken"].as_str().unwrap();
        let told = app.graphql(token, SIGN_OUT, json!({})).await;
        assert_eq!(told["data"]["signOut"], json!({ "providerUrl": null }), "{told:#}");
        assert_eq!(code(&app.graphql(token, ME, json!({})).await), "UNAUTHENTICATED");
        assert_eq!(code(&app.graphql(admin, SIGN_OUT, json!({})).await), "UNSUPPORTED");
    }
}
