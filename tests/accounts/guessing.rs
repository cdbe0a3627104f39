//! Guessing at passwords has to wait, and locks nobody out.

use super::{
    CHANGE, ELSEWHERE, HOME, LOGIN, NEW_PASSWORD, Office, RESET, code, field, reset, wait,
};
use crate::support::both_databases;
use crate::support::seed::PASSWORD;
use crate::support::waiting::until;
use axum::body::Body;
use axum::http::Request;
use axum::http::header;
use chrono::TimeDelta;
use pulso::limits;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

both_databases! {
    // ---- Guessing --------------------------------------------------------------------------------

    /// The same for an account that exists, one that does not, and a tenant that does not.
    async fn guessing_has_to_wait(office: Office) {
        let alpha = &office.test.alpha;
        let mut told = BTreeSet::new();
        for (number, email) in [alpha.comercial.email.as_str(), "nobody@alpha.example"]
            .into_iter().enumerate()
        {
            let mut answers = Vec::new();
            let address = format!("198.51.100.{number}");
            for _ in 0..limits::GUESSES_PER_ACCOUNT {
                let answer = office.sign_in_from(&address, email, "wrong password").await;
                answers.push(code(&answer).to_owned());
            }
            // From another address too, and with the right password.
            let answer = office.sign_in_from("198.51.100.77", email, PASSWORD).await;
            answers.push(format!("{} {}", wait(&answer), answer["errors"][0]["message"]));
            told.insert(answers);
        }
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!(told.first().unwrap()[4], "UNAUTHENTICATED");

        // Each further guess makes the next wait longer.
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            let email = &alpha.comercial.email;
            let answer = office.sign_in_from(ELSEWHERE, email, "wrong").await;
            let before = wait(&answer);
            office.later(TimeDelta::seconds(before.try_into().unwrap()));
            let answer = office.sign_in_from(ELSEWHERE, email, "wrong").await;
            assert_eq!(code(&answer), "UNAUTHENTICATED", "{before}");
            assert_eq!(wait(&office.sign_in_from(ELSEWHERE, email, "wrong").await), expected);
        }
        // Then the right one is taken, and what was counted forgotten.
        office.later(TimeDelta::minutes(15));
        office.sign_in(&alpha.comercial.email, PASSWORD).await;
        let answer = office.sign_in_from("192.0.2.33", &alpha.comercial.email, "wrong").await;
        assert_eq!(code(&answer), "UNAUTHENTICATED");
        office.sign_in(&alpha.comercial.email, PASSWORD).await;
    }

    async fn who_has_to_wait_is_told_so_in_the_head_of_the_answer(office: Office) {
        let who = json!({ "tenant": "alpha", "email": "nobody@alpha.example", "password": "x" });
        let body = json!({ "query": LOGIN, "variables": who }).to_string();
        let guess = || {
            let request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
            office.test.request(request.body(Body::from(body.clone())).unwrap())
        };
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            let answer = guess().await;
            assert_eq!(answer.headers.get(header::RETRY_AFTER), None, "{}", answer.text());
        }
        let answer = guess().await;
        assert_eq!(answer.status.as_u16(), 429, "{}", answer.text());
        assert_eq!(answer.headers[header::RETRY_AFTER], "1");
        assert_eq!(wait(&answer.json()), 1);
    }

    async fn guessing_is_noticed(office: Office) {
        let alpha = &office.test.alpha;
        let seen = office.test.trail(alpha).await;
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            office.sign_in_from(ELSEWHERE, &alpha.comercial.email, "wrong").await;
        }
        // Beside the answer, so that its time tells nothing.
        let told = || async { !office.test.trail(alpha).await.since(&seen).audits.is_empty() };
        until("the entry", Duration::from_secs(5), told).await;
        let trail = office.test.trail(alpha).await.since(&seen);
        assert_eq!(trail.actions(), ["user.guessing"]);
        assert_eq!(trail.audits[0].resource_id, Some(alpha.comercial.id));
        assert_eq!(trail.audits[0].ip.as_deref(), Some(ELSEWHERE));
    }

    /// Whoever tries somebody's account from elsewhere does not keep them out of it.
    async fn nobody_is_locked_out_by_others(office: Office) {
        let email = &office.test.alpha.comercial.email;
        office.sign_in(email, PASSWORD).await;
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            office.sign_in_from(ELSEWHERE, email, "wrong").await;
        }
        assert_eq!(wait(&office.sign_in_from(ELSEWHERE, email, "wrong").await), 1);
        office.sign_in(email, PASSWORD).await;
        // The known address has a count of its own.
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            let answer = office.sign_in_from(HOME, email, "wrong").await;
            assert_eq!(code(&answer), "UNAUTHENTICATED");
        }
        assert_eq!(wait(&office.sign_in_from(HOME, email, PASSWORD).await), 1);
        office.later(TimeDelta::seconds(1));
        office.sign_in(email, PASSWORD).await;

        // On the way, where no address is known, a mail opens the door.
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            office.sign_in_from(ELSEWHERE, email, "wrong").await;
        }
        assert_eq!(wait(&office.sign_in_from("192.0.2.80", email, PASSWORD).await), 1);
        let token = office.reset_link(email).await;
        office.from("192.0.2.80", None, RESET, reset(&token)).await;
        let answer = office.sign_in_from("192.0.2.80", email, NEW_PASSWORD).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
    }

    async fn one_address_guesses_at_few_accounts(office: Office) {
        let alpha = &office.test.alpha;
        office.sign_in(&alpha.comercial.email, PASSWORD).await;
        for number in 0..limits::GUESSES_PER_ADDRESS {
            let email = format!("person{number}@alpha.example");
            let answer = office.sign_in_from(ELSEWHERE, &email, "wrong").await;
            assert_eq!(code(&answer), "UNAUTHENTICATED", "{number}");
        }
        let email = &alpha.diretor.email;
        assert_eq!(wait(&office.sign_in_from(ELSEWHERE, email, PASSWORD).await), 1);
        // Others at other addresses do not notice, and who signed in from there before neither.
        assert!(office.sign_in_from(HOME, email, PASSWORD).await.get("errors").is_none());
        office.later(TimeDelta::seconds(1));
        assert!(office.sign_in_from(ELSEWHERE, email, PASSWORD).await.get("errors").is_none());
        // Signing in to one's own account does not clear the count of an address.
        let answer = office.sign_in_from(ELSEWHERE, &alpha.manager.email, PASSWORD).await;
        assert_eq!(wait(&answer), 2);
        assert!(office.sign_in_from(ELSEWHERE, email, PASSWORD).await.get("errors").is_none());
    }

    /// Many at the same time are not more than one after the other.
    async fn guesses_at_once_are_counted(office: Office) {
        let email = &office.test.alpha.comercial.email;
        let guesses = (0..12).map(|_| office.sign_in_from(ELSEWHERE, email, "wrong"));
        let answers = futures::future::join_all(guesses).await;
        let tried = answers.iter().filter(|answer| code(answer) == "UNAUTHENTICATED").count();
        assert_eq!(i64::try_from(tried).unwrap(), limits::GUESSES_PER_ACCOUNT, "{answers:#?}");
    }

    async fn guessing_at_the_present_password_has_to_wait(office: Office) {
        let alpha = &office.test.alpha;
        let bearer = office.sign_in(&alpha.comercial.email, PASSWORD).await;
        let guess = json!({ "current": "wrong", "new": NEW_PASSWORD });
        for _ in 0..limits::GUESSES_PER_ACCOUNT {
            let answer = office.ask(Some(&bearer), CHANGE, guess.clone()).await;
            assert_eq!(field(&answer), ("INVALID", "current"));
        }
        assert_eq!(wait(&office.ask(Some(&bearer), CHANGE, guess).await), 1);
    }
}
