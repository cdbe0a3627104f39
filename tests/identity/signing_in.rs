//! Signing in by password, and what a token is believed for.

use super::{claims, header, ids, key_id, secret, signed_with, token, without};
use crate::support::TestApp;
use crate::support::app::now;
use crate::support::both_databases;
use crate::support::seed::PASSWORD;
use argon2::password_hash::PasswordHasher as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jsonwebtoken::Algorithm;
use jsonwebtoken::Header;
use pulso::access::Action;
use pulso::access::Resource;
use pulso::access::ScopeKind;
use pulso::ctx::Ctx;
use pulso::ctx::Origin;
use pulso::db::Value;
use pulso::error::Code;
use pulso::error::Language;
use pulso::identity::api_key;
use pulso::identity::session::token::key_id as kid_of;
use pulso::limits;
use serde_json::Value as Json;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

fn with(mut claims: Json, name: &str, value: impl Into<Json>) -> Json {
    claims[name] = value.into();
    claims
}

both_databases! {
    async fn signing_in(app: TestApp) {
        let person = &app.alpha.comercial;
        // People write their address as they like.
        let shouted = person.email.to_uppercase();
        let session = app.sign_in("alpha", &format!(" {shouted} "), PASSWORD).await.unwrap();
        assert_eq!((session.tenant_id, session.user_id), (app.alpha.id, person.id));
        assert_eq!(session.expires_at, now() + TimeDelta::minutes(15));

        let actor = app.who(&session.access_token).await.unwrap();
        assert_eq!((actor.tenant_id, actor.user_id), (app.alpha.id, person.id));
        assert_eq!(&*actor.role_names, ["comercial".to_owned()]);
        assert_eq!(actor.api_key_id, None);

        let sql = "SELECT last_login_at FROM users WHERE tenant_id = ? AND id = ?";
        let rows = app.rows(&app.alpha, sql, ids(&app.alpha, person)).await;
        assert_eq!(rows[0].instant(0).unwrap(), Some(now()));
    }

    async fn whatever_was_wrong_the_answer_is_the_same(app: TestApp) {
        let alpha = &app.alpha;
        app.change(
            alpha,
            "UPDATE users SET is_active = FALSE WHERE tenant_id = ? AND id = ?",
            ids(alpha, &alpha.diretor),
        )
        .await;
        app.change(
            alpha,
            "UPDATE users SET password_hash = NULL WHERE tenant_id = ? AND id = ?",
            ids(alpha, &alpha.manager),
        )
        .await;
        app.change(
            alpha,
            "UPDATE users SET deleted_at = created_at WHERE tenant_id = ? AND id = ?",
            ids(alpha, &alpha.agente_ia),
        )
        .await;
        app.change(
            &app.beta,
            "UPDATE tenants SET suspended_at = created_at WHERE id = ?",
            vec![Value::Id(app.beta.id)],
        )
        .await;
        let long = PASSWORD.repeat(1_000);
        let mut answers = BTreeSet::new();
        for (tenant, email, password) in [
            ("alpha", alpha.admin.email.as_str(), "wrong password"),
            ("alpha", alpha.admin.email.as_str(), ""),
            ("alpha", alpha.admin.email.as_str(), long.as_str()),
            ("alpha", "nobody@alpha.example", PASSWORD),
            ("alpha", app.beta.admin.email.as_str(), PASSWORD),
            ("alpha", "", PASSWORD),
            ("gamma", alpha.admin.email.as_str(), PASSWORD),
            ("", alpha.admin.email.as_str(), PASSWORD),
            ("alpha", alpha.diretor.email.as_str(), PASSWORD),
            ("alpha", alpha.manager.email.as_str(), PASSWORD),
            ("alpha", alpha.agente_ia.email.as_str(), PASSWORD),
            ("beta", app.beta.admin.email.as_str(), PASSWORD),
        ] {
            let error = app.sign_in(tenant, email, password).await.unwrap_err();
            let (en, pt) = (error.message(Language::En), error.message(Language::PtBr));
            answers.insert(format!("{} {en} {pt} {:?}", error.code().as_str(), error.field()));
        }
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(answers.first().unwrap().starts_with("UNAUTHENTICATED "));
    }

    async fn a_weak_hash_is_replaced_when_its_owner_signs_in(app: TestApp) {
        let weak = argon2::Argon2::from(argon2::Params::new(64, 1, 1, None).unwrap())
            .hash_password(PASSWORD.as_bytes())
            .unwrap()
            .to_string();
        let person = &app.alpha.comercial;
        app.change(
            &app.alpha,
            "UPDATE users SET password_hash = ? WHERE tenant_id = ? AND id = ?",
            vec![Value::from(weak), Value::Id(app.alpha.id), Value::Id(person.id)],
        )
        .await;
        for _again in 0..2 {
            app.sign_in("alpha", &person.email, PASSWORD).await.unwrap();
            let sql = "SELECT password_hash FROM users WHERE tenant_id = ? AND id = ?";
            let rows = app.rows(&app.alpha, sql, ids(&app.alpha, person)).await;
            let stored = rows[0].text(0).unwrap().unwrap();
            assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        }
    }

    async fn tokens_end(app: TestApp) {
        let token = token(&claims(&app, &app.alpha, &app.alpha.admin).await);
        assert!(!app.refused(&token).await);
        // The clocks of two nodes may differ.
        app.app.clock.advance(TimeDelta::seconds(limits::ACCESS_TOKEN_SECONDS + 29));
        assert!(!app.refused(&token).await);
        // Remembered a moment ago, and yet it ends on time.
        app.app.clock.advance(TimeDelta::milliseconds(990));
        assert!(!app.refused(&token).await);
        app.app.clock.advance(TimeDelta::milliseconds(10));
        assert!(app.refused(&token).await);
    }

    async fn only_tokens_that_we_signed_for_this(app: TestApp) {
        let good = claims(&app, &app.alpha, &app.alpha.admin).await;
        let ours = header(Algorithm::HS256, Some("at+jwt"));
        let now = app.app.clock.now().timestamp();
        assert!(!app.refused(&token(&good)).await);

        let text = token(&good);
        let (start, signature) = text.rsplit_once('.').unwrap();
        let (head, _) = start.split_once('.').unwrap();
        let encode = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let other_user = with(good.clone(), "sub", json!(app.alpha.diretor.id));
        let kid = kid_of(&secret());
        let none = encode(&json!({ "alg": "none", "typ": "at+jwt", "kid": kid }));
        let public = encode(&json!({ "alg": "RS256", "typ": "at+jwt", "kid": kid }));
        let named = |kid: Option<&str>| Header { kid: kid.map(str::to_owned), ..ours.clone() };
        let theirs = claims(&app, &app.alpha, &app.alpha.diretor).await;
        let mut critical = ours.clone();
        critical.crit = Some(vec!["b64".to_owned()]);

        let bad = [
            ("no algorithm", format!("{none}.{}.", encode(&good))),
            ("no algorithm, old signature", format!("{none}.{}.{signature}", encode(&good))),
            ("another algorithm", signed_with(&header(Algorithm::HS512, Some("at+jwt")), &good, &secret())),
            ("a public key's algorithm", format!("{public}.{}.{signature}", encode(&good))),
            ("an unknown key", signed_with(&named(Some("AAAAAAAAAAAA")), &good, &secret())),
            ("the key of another secret", signed_with(&named(Some(&kid_of(b"another"))), &good, b"another")),
            ("no key", signed_with(&named(None), &good, &secret())),
            ("another secret", signed_with(&ours, &good, b"another secret of 32 bytes or more")),
            ("an empty secret", signed_with(&ours, &good, b"")),
            ("changed claims", format!("{head}.{}.{signature}", encode(&other_user))),
            ("changed header", format!("{}.{}", encode(&json!({ "alg": "HS256" })), start)),
            ("no signature", format!("{start}.")),
            ("shortened", text[..text.len() - 1].to_owned()),
            ("an ID token's type", signed_with(&header(Algorithm::HS256, Some("JWT")), &good, &secret())),
            ("no type", signed_with(&header(Algorithm::HS256, None), &good, &secret())),
            ("a critical extension", signed_with(&critical, &good, &secret())),
            ("another issuer", token(&with(good.clone(), "iss", "pulsar"))),
            ("another audience", token(&with(good.clone(), "aud", "grafana"))),
            ("several audiences", token(&with(good.clone(), "aud", json!(["pulso", "grafana"])))),
            ("no issuer", token(&without(good.clone(), "iss"))),
            ("no audience", token(&without(good.clone(), "aud"))),
            ("no end", token(&without(good.clone(), "exp"))),
            ("no tenant", token(&without(good.clone(), "tid"))),
            ("no session", token(&without(good.clone(), "sid"))),
            ("an end in words", token(&with(good.clone(), "exp", "tomorrow"))),
            ("an end beyond time", token(&with(good.clone(), "exp", i64::MAX))),
            ("a life too long", token(&with(good.clone(), "exp", now + limits::ACCESS_TOKEN_SECONDS + 1))),
            ("a life of nothing", token(&with(good.clone(), "iat", now + limits::ACCESS_TOKEN_SECONDS))),
            ("another's session", token(&with(good.clone(), "sid", theirs["sid"].clone()))),
            ("no such session", token(&with(good.clone(), "sid", json!(Uuid::from_u128(7))))),
            ("ended", token(&with(good.clone(), "exp", now - 30))),
            ("not begun", token(&with(good.clone(), "nbf", now + 31))),
            ("from the future", token(&with(good.clone(), "iat", now + 31))),
            ("nobody", token(&with(good.clone(), "sub", json!(Uuid::from_u128(1))))),
            ("nowhere", token(&with(good.clone(), "tid", json!(Uuid::from_u128(1))))),
            ("another tenant", token(&with(good.clone(), "tid", json!(app.beta.id)))),
            ("nothing", String::new()),
            ("words", "let me in".to_owned()),
            ("dots", "..".to_owned()),
            ("too long", "x".repeat(1_000_000)),
        ];
        for (why, credential) in bad {
            assert!(app.refused(&credential).await, "{why}: accepted");
            assert!(app.refused(&credential).await, "{why}: accepted the second time");
        }
    }

    async fn what_was_taken_away_is_gone_within_a_second(app: TestApp) {
        let alpha = &app.alpha;
        let admin = token(&claims(&app, alpha, &alpha.admin).await);
        let seller = token(&claims(&app, alpha, &alpha.comercial).await);
        let director = token(&claims(&app, alpha, &alpha.diretor).await);
        for credential in [&admin, &seller, &director, &alpha.agente_ia.key, &alpha.manager.key] {
            assert!(!app.refused(credential).await);
        }

        app.change(
            alpha,
            "DELETE FROM user_roles WHERE tenant_id = ? AND user_id = ?",
            ids(alpha, &alpha.comercial),
        )
        .await;
        app.change(
            alpha,
            "UPDATE users SET is_active = FALSE WHERE tenant_id = ? AND id = ?",
            ids(alpha, &alpha.diretor),
        )
        .await;
        app.change(
            alpha,
            "UPDATE users SET deleted_at = updated_at WHERE tenant_id = ? AND id = ?",
            ids(alpha, &alpha.agente_ia),
        )
        .await;
        let manager_key = key_id(&app, &alpha.manager.key).await;
        api_key::service::revoke(&app.app, alpha.slug, &manager_key.to_string()).await.unwrap();
        app.a_second_later();

        let actor = app.who(&seller).await.unwrap();
        assert_eq!(actor.role_names.len(), 0);
        assert_eq!(actor.permissions.grants().count(), 0);
        let ctx = Ctx::new(Arc::clone(&app.app), actor, Origin::internal("test"));
        assert_eq!(ctx.reader(Resource::Leads).unwrap_err().code(), Code::Forbidden);
        assert!(app.refused(&director).await);
        assert!(app.refused(&alpha.agente_ia.key).await);
        assert!(app.refused(&alpha.manager.key).await);

        app.change(
            alpha,
            "UPDATE roles SET permissions = ? WHERE tenant_id = ? AND name = 'admin'",
            vec![Value::Json(json!({ "leads": { "read": "own" } })), Value::Id(alpha.id)],
        )
        .await;
        app.a_second_later();
        let actor = app.who(&admin).await.unwrap();
        let granted: Vec<_> = actor.permissions.grants().collect();
        assert_eq!(granted, [(Resource::Leads, Action::Read, ScopeKind::Own)]);

        app.change(
            alpha,
            "UPDATE tenants SET suspended_at = created_at WHERE id = ?",
            vec![Value::Id(alpha.id)],
        )
        .await;
        app.a_second_later();
        assert!(app.refused(&admin).await);
        assert!(app.refused(&alpha.admin.key).await);
        assert!(!app.refused(&app.beta.admin.key).await);
    }

    async fn many_at_once_are_one_look_up(app: TestApp) {
        let credential = token(&claims(&app, &app.alpha, &app.alpha.manager).await);
        let asks = (0..200).map(|_| app.who(&credential));
        for actor in futures::future::join_all(asks).await {
            assert_eq!(actor.unwrap().user_id, app.alpha.manager.id);
        }
        let wrong = format!("{}_{}", &app.alpha.admin.key[..51], "A".repeat(43));
        for refusal in futures::future::join_all((0..50).map(|_| app.refused(&wrong))).await {
            assert!(refusal);
        }
    }
}
