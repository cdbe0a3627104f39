//! Passwords that are changed, forgotten and reset.

use super::{
    ACCEPT, ASK_RESET, CHANGE, ELSEWHERE, HOME, ME, NEW_PASSWORD, Office, RESET, accept, code,
    field, reset, wait,
};
use crate::support::both_databases;
use crate::support::seed::PASSWORD;
use chrono::TimeDelta;
use pulso::db::Value;
use pulso::limits;
use pulso::mail::Delivered;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

both_databases! {
    // ---- Passwords -------------------------------------------------------------------------------

    async fn changing_ones_password_ends_the_other_sessions(office: Office) {
        let alpha = &office.test.alpha;
        let email = &alpha.comercial.email;
        let other = office.sign_in(email, PASSWORD).await;
        let mine = office.sign_in(email, PASSWORD).await;
        let link = office.reset_link(email).await;
        let seen = office.test.trail(alpha).await;
        let change = |current: &str, new: &str| json!({ "current": current, "new": new });
        let wrong = office.ask(Some(&mine), CHANGE, change("wrong password", NEW_PASSWORD)).await;
        assert_eq!(field(&wrong), ("INVALID", "current"));
        for weak in ["short", "senha123", "12345678", email.as_str()] {
            let answer = office.ask(Some(&mine), CHANGE, change(PASSWORD, weak)).await;
            assert_eq!(field(&answer), ("INVALID", "new"), "{weak}");
        }
        assert!(office.test.trail(alpha).await.since(&seen).is_empty());

        let answer = office.ask(Some(&mine), CHANGE, change(PASSWORD, NEW_PASSWORD)).await;
        assert!(answer.get("errors").is_some(), "five guesses were free: {answer:#}");
        office.later(TimeDelta::seconds(1));
        let answer = office.ask(Some(&mine), CHANGE, change(PASSWORD, NEW_PASSWORD)).await;
        assert_eq!(answer["data"]["passwordChange"], true, "{answer:#}");
        let trail = office.test.trail(alpha).await.since(&seen);
        assert!(trail.actions().contains(&"user.change_password"), "{:?}", trail.actions());
        assert!(trail.kinds().contains(&"user.password_changed"));
        assert_eq!(office.ask(Some(&mine), ME, json!({})).await["data"]["me"]["roles"],
            json!(["comercial"]), "one's own session stays");
        assert_eq!(code(&office.ask(Some(&other), ME, json!({})).await), "UNAUTHENTICATED");
        assert_eq!(code(&office.sign_in_from(HOME, email, PASSWORD).await), "UNAUTHENTICATED");
        office.sign_in(email, NEW_PASSWORD).await;
        let letter = office.mail().await;
        assert!(letter.headers.contains("Subject: Tenant alpha: your password was changed"));
        // A link asked for before does not undo it.
        assert_eq!(field(&office.ask(None, RESET, reset(&link)).await), ("INVALID", "token"));

        let by_key = office.ask(Some(&alpha.comercial.key), CHANGE, change("a", "b")).await;
        assert_eq!(code(&by_key), "FORBIDDEN");
        assert_eq!(code(&office.ask(None, CHANGE, change("a", "b")).await), "UNAUTHENTICATED");
    }

    async fn a_forgotten_password_is_reset_by_mail(office: Office) {
        let alpha = &office.test.alpha;
        let email = &alpha.comercial.email;
        let session = office.sign_in(email, PASSWORD).await;
        let seen = office.test.trail(alpha).await;
        let first = office.reset_link(&email.to_uppercase()).await;
        let token = office.reset_link(email).await;
        assert_eq!(field(&office.ask(None, RESET, reset(&first)).await), ("INVALID", "token"),
            "the latest link works");
        let weak = json!({ "token": token, "password": "comercial" });
        assert_eq!(field(&office.ask(None, RESET, weak).await), ("INVALID", "newPassword"));

        let answer = office.ask(None, RESET, reset(&token)).await;
        let account = json!({ "tenant": "alpha", "email": email });
        assert_eq!(answer["data"]["passwordReset"], account, "{answer:#}");
        let trail = office.test.trail(alpha).await.since(&seen);
        assert_eq!(trail.kinds(), ["user.password_reset_requested", "user.password_reset_requested",
            "user.password_reset"]);
        assert_eq!(trail.audits.last().unwrap().action, "user.reset_password");
        assert_eq!(trail.audits.last().unwrap().user_id, Some(alpha.comercial.id));
        assert_eq!(code(&office.ask(Some(&session), ME, json!({})).await), "UNAUTHENTICATED");
        assert_eq!(code(&office.sign_in_from(HOME, email, PASSWORD).await), "UNAUTHENTICATED");
        office.sign_in(email, NEW_PASSWORD).await;
        assert!(office.mail().await.text.contains("senha da sua conta"));
        assert_eq!(field(&office.ask(None, RESET, reset(&token)).await), ("INVALID", "token"));

        office.later(TimeDelta::hours(2));
        let token = office.reset_link(email).await;
        office.later(TimeDelta::minutes(limits::PASSWORD_RESET_MINUTES));
        assert_eq!(field(&office.ask(None, RESET, reset(&token)).await), ("INVALID", "token"));
    }

    /// Neither the answer nor its time tells whether there is such an account.
    async fn asking_for_a_reset_tells_nothing(office: Office) {
        let alpha = &office.test.alpha;
        office.invite("bia@example.com", &["comercial"]).await;
        office.mail().await;
        let sql = "UPDATE users SET is_active = FALSE WHERE tenant_id = ? AND id = ?";
        office.test.write_sql(sql, vec![Value::Id(alpha.id), Value::Id(alpha.manager.id)]).await;
        let mut answers = BTreeSet::new();
        for (tenant, email) in [
            ("alpha", alpha.comercial.email.as_str()),
            ("alpha", "nobody@alpha.example"),
            ("alpha", office.test.beta.admin.email.as_str()),
            ("alpha", alpha.manager.email.as_str()),
            ("alpha", "bia@example.com"),
            ("gamma", "ana@gamma.example"),
            ("", ""),
        ] {
            let begun = tokio::time::Instant::now();
            let who = json!({ "tenant": tenant, "email": email });
            let answer = office.ask(None, ASK_RESET, who).await;
            assert!(begun.elapsed() >= Duration::from_millis(limits::PASSWORD_RESET_ANSWER_MS));
            answers.insert(answer["data"].to_string());
        }
        assert_eq!(answers, BTreeSet::from(["{\"passwordResetRequest\":true}".to_owned()]));
        let letter = office.mail().await;
        assert!(letter.headers.contains(&alpha.comercial.email), "{}", letter.headers);
    }

    async fn resets_have_their_own_rate(office: Office) {
        let alpha = &office.test.alpha;
        let ask = async |address: &str, email: &str| {
            let who = json!({ "tenant": "alpha", "email": email });
            office.from(address, None, ASK_RESET, who).await
        };
        // One account gets a few mails, and whoever asks for more is not told.
        for _ in 0..limits::PASSWORD_RESETS_PER_ACCOUNT + 2 {
            let answer = ask(HOME, &alpha.comercial.email).await;
            assert_eq!(answer["data"]["passwordResetRequest"], true, "{answer:#}");
        }
        office.deliver().await;
        assert_eq!(office.mails().len(), 1, "links that a later one replaced are not sent");
        let sql = "SELECT state FROM mails WHERE tenant_id = ? ORDER BY id";
        let states = office.test.read_sql(alpha, sql, vec![]).await;
        assert_eq!(states.len(), 3, "no mail beyond the free ones");
        // One address asks a few times, whomever for.
        for number in 0..5 {
            ask(HOME, &format!("person{number}@alpha.example")).await;
        }
        let answer = ask(HOME, "another@alpha.example").await;
        assert_eq!(wait(&answer), 1);
        assert_eq!(ask(ELSEWHERE, &alpha.diretor.email).await["data"]["passwordResetRequest"], true);
        office.later(TimeDelta::seconds(1));
        assert_eq!(ask(HOME, "another@alpha.example").await["data"]["passwordResetRequest"], true);
        assert_eq!(wait(&ask(HOME, "another@alpha.example").await), 2);
    }

    // ---- Links -----------------------------------------------------------------------------------

    async fn a_link_opens_its_own_account_alone(office: Office) {
        let (alpha, beta) = (&office.test.alpha, &office.test.beta);
        let token = office.reset_link(&alpha.comercial.email).await;
        office.invite("bia@example.com", &[]).await;
        let invitation = office.mail().await.token();
        // Each for its purpose.
        assert_eq!(field(&office.ask(None, ACCEPT, accept(&token)).await), ("INVALID", "token"));
        assert_eq!(field(&office.ask(None, RESET, reset(&invitation)).await), ("INVALID", "token"));
        // Another tenant's number in front, another secret behind, nonsense.
        let mut words = BTreeSet::new();
        let turned = |at: usize| {
            let mut text: Vec<char> = token.chars().collect();
            text[at] = if text[at] == 'A' { 'B' } else { 'A' };
            text.into_iter().collect::<String>()
        };
        let foreign = {
            use base64::Engine as _;
            let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
            let mut bytes = engine.decode(&token).unwrap();
            bytes[..16].copy_from_slice(beta.id.as_bytes());
            engine.encode(bytes)
        };
        for token in [foreign, turned(2), turned(30), turned(70), String::new(), "x".repeat(5_000)] {
            let answer = office.ask(None, RESET, reset(&token)).await;
            assert_eq!(field(&answer), ("INVALID", "token"), "{token}");
            words.insert(answer["errors"][0]["message"].to_string());
        }
        assert_eq!(words.len(), 1, "{words:?}");
        let answer = office.ask(None, RESET, reset(&token)).await;
        assert!(answer.get("errors").is_none(), "the right one still works: {answer:#}");
    }

    async fn a_link_that_two_use_at_once_works_once(office: Office) {
        let token = office.reset_link(&office.test.alpha.comercial.email).await;
        let attempts = (0..4).map(|_| office.ask(None, RESET, reset(&token)));
        let answers = futures::future::join_all(attempts).await;
        let good = answers.iter().filter(|answer| answer.get("errors").is_none()).count();
        assert_eq!(good, 1, "{answers:#?}");
    }

    async fn a_suspended_tenant_lets_nobody_in(office: Office) {
        let alpha = &office.test.alpha;
        let token = office.reset_link(&alpha.comercial.email).await;
        office.invite("bia@example.com", &[]).await;
        let sql = "UPDATE tenants SET suspended_at = created_at WHERE id = ?";
        office.test.write_sql(sql, vec![Value::Id(alpha.id)]).await;
        assert_eq!(field(&office.ask(None, RESET, reset(&token)).await), ("INVALID", "token"));
        assert_eq!(office.deliver().await, Delivered { dropped: 1, ..Delivered::default() });
    }
}
