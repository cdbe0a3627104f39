//! Signing in, tokens, API keys, and how fast what was taken away is gone.

mod keys;
mod people;
mod signing_in;
mod tenants;

use crate::support::TestApp;
use crate::support::app::config;
use crate::support::seed::Person;
use crate::support::seed::Tenant;
use chrono::TimeDelta;
use jsonwebtoken::Algorithm;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::Header;
use pulso::access::Actor;
use pulso::access::SystemHandle;
use pulso::app::App;
use pulso::cli::admin::Admin;
use pulso::ctx::Origin;
use pulso::db::Row;
use pulso::db::Statement;
use pulso::db::Value;
use pulso::error::Code;
use pulso::error::Result;
use pulso::identity::api_key;
use pulso::identity::session::service::Session;
use pulso::identity::session::service::login;
use pulso::identity::session::token::key_id as kid_of;
use pulso::identity::user::service as user;
use pulso::identity::user::service::UserInput;
use pulso::limits;
use serde_json::Value as Json;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

impl TestApp {
    async fn sign_in(&self, tenant: &str, email: &str, password: &str) -> Result<Session> {
        login(&self.app, tenant, email, password, &Origin::internal("test")).await
    }

    async fn who(&self, credential: &str) -> Result<Actor> {
        self.app.identity.authenticate(&self.app, credential).await
    }

    async fn refused(&self, credential: &str) -> bool {
        match self.who(credential).await {
            Ok(_) => false,
            Err(error) => {
                assert_eq!(error.code(), Code::Unauthenticated, "{error}");
                true
            }
        }
    }

    /// What is kept in memory has been forgotten.
    fn a_second_later(&self) {
        self.app.clock.advance(TimeDelta::seconds(1));
    }

    /// Runs a statement on a tenant's rows; `?` stands for the values in turn.
    async fn change(&self, tenant: &Tenant, sql: &str, values: Vec<Value>) {
        let conn = self.app.db.transaction().await.unwrap();
        let sql = numbered(&self.app, sql);
        let system = SystemHandle::for_tenant(tenant.id);
        let changed = conn.execute(&system, &Statement::new(&sql, values)).await.unwrap();
        assert!(changed > 0, "nothing to change: {sql}");
        conn.commit().await.unwrap();
    }

    async fn rows(&self, tenant: &Tenant, sql: &str, values: Vec<Value>) -> Vec<Row> {
        let conn = self.app.db.single_read().await.unwrap();
        let statement = Statement::new(numbered(&self.app, sql), values);
        conn.rows(&SystemHandle::for_tenant(tenant.id), &statement).await.unwrap()
    }

    async fn key(&self, tenant: &Tenant, role: &str, scopes: &[&str]) -> Result<String> {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        api_key::service::create(&self.app, tenant.slug, role, "a key", &scopes, None).await
    }

    async fn person(&self, tenant: &Tenant, name: &str, manager_id: Option<Uuid>) -> Uuid {
        let input = UserInput { full_name: name.to_owned(), manager_id, ..UserInput::default() };
        user::create(&self.app, tenant.id, input).await.unwrap()
    }
}

fn numbered(app: &App, sql: &str) -> String {
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap().to_owned();
    for (part, number) in parts.zip(1..) {
        text.push_str(&app.db.dialect().placeholder(number));
        text.push_str(part);
    }
    text
}

fn ids(tenant: &Tenant, person: &Person) -> Vec<Value> {
    vec![Value::Id(tenant.id), Value::Id(person.id)]
}

/// What a token of `person` says, as the server would have signed it now, for a session of its own.
async fn claims(app: &TestApp, tenant: &Tenant, person: &Person) -> Json {
    let (session_id, now) = (app.app.clock.new_id(), app.app.clock.now());
    let sql = "INSERT INTO sessions (tenant_id, id, user_id, generation, refresh_hash, created_at, \
               last_used_at, expires_at) VALUES (?, ?, ?, 1, '', ?, ?, ?)";
    let days = Value::Instant(now + TimeDelta::days(90));
    let mut values: Vec<Value> = [tenant.id, session_id, person.id].map(Value::Id).to_vec();
    values.extend([Value::Instant(now), Value::Instant(now), days]);
    app.change(tenant, sql, values).await;
    let now = now.timestamp();
    json!({
        "iss": "pulso", "aud": "pulso", "sub": person.id, "tid": tenant.id,
        "sid": session_id, "iat": now, "exp": now + limits::ACCESS_TOKEN_SECONDS,
    })
}

fn header(algorithm: Algorithm, kind: Option<&str>) -> Header {
    let mut header = Header::new(algorithm);
    header.typ = kind.map(str::to_owned);
    header.kid = Some(kid_of(&secret()));
    header
}

fn signed_with(header: &Header, claims: &Json, secret: &[u8]) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn secret() -> Vec<u8> {
    config("sqlite::memory:").signing_secret().unwrap().reveal().as_bytes().to_vec()
}

fn token(claims: &Json) -> String {
    signed_with(&header(Algorithm::HS256, Some("at+jwt")), claims, &secret())
}

fn without(mut claims: Json, name: &str) -> Json {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// What `pulso admin …` writes to standard output.
async fn admin(app: &Arc<App>, words: &str) -> Result<Vec<String>> {
    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(subcommand)]
        command: Admin,
    }
    let words = std::iter::once("pulso").chain(words.split_whitespace());
    let command = <CommandLine as clap::Parser>::try_parse_from(words).unwrap().command;
    Ok(pulso::cli::admin::execute(app, command).await?.lines)
}

async fn key_id(app: &TestApp, key: &str) -> Uuid {
    app.who(key).await.unwrap().api_key_id.unwrap()
}
