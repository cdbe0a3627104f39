//! An issuer that lies, for attacks that an honest provider cannot play: it hands out whatever token
//! it is told to.

use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json as Body, Router};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

/// A key of an issuer.
pub struct Key {
    pub encoding: EncodingKey,
    /// The public half, as it is published.
    pub public: Json,
}

impl Key {
    pub fn new(id: &str) -> Self {
        let random = aws_lc_rs::rand::SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let encoding = EncodingKey::from_ec_der(pair.unwrap().as_ref());
        let mut public = json!(Jwk::from_encoding_key(&encoding, Algorithm::ES256).unwrap());
        public["kid"] = json!(id);
        public["use"] = json!("sig");
        Self { encoding, public }
    }

    /// A token under this key's name.
    pub fn sign(&self, claims: &Json) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = self.public["kid"].as_str().map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.encoding).unwrap()
    }
}

type Fields = Vec<(String, String)>;

/// What the issuer does.
pub struct Script {
    pub metadata: Json,
    pub keys: Vec<Json>,
    /// What the token endpoint answers.
    pub token: (StatusCode, Json),
    pub userinfo: Json,
    /// Leads every question elsewhere.
    pub redirect: Option<String>,
    /// Forms that the token endpoint was sent, and its `Authorization`.
    pub asked: Vec<(Fields, Option<String>)>,
    /// How often the keys were asked for.
    pub keys_asked: usize,
}

#[derive(Clone)]
pub struct Issuer {
    pub url: String,
    pub script: Arc<Mutex<Script>>,
    /// Ends with the last of us.
    _serving: Arc<JoinSet<()>>,
}

impl Issuer {
    pub async fn start(keys: &[&Key]) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Script {
            metadata: json!({
                "issuer": url,
                "authorization_endpoint": format!("{url}/authorize?fixed=1"),
                "token_endpoint": format!("{url}/token"),
                "userinfo_endpoint": format!("{url}/userinfo"),
                "jwks_uri": format!("{url}/keys"),
            }),
            keys: keys.iter().map(|key| key.public.clone()).collect(),
            token: (StatusCode::BAD_REQUEST, json!({ "error": "invalid_grant" })),
            userinfo: json!({}),
            redirect: None,
            asked: Vec::new(),
            keys_asked: 0,
        };
        let script = Arc::new(Mutex::new(script));
        let issuer = Self { url, script, _serving: Arc::default() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys_of))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(issuer.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { _serving: Arc::new(serving), ..issuer }
    }

    pub fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// From now on the token endpoint hands this out.
    pub fn hand_out(&self, id_token: &str) {
        let answer = json!({ "id_token": id_token, "access_token": "a", "token_type": "Bearer" });
        self.set(|script| script.token = (StatusCode::OK, answer));
    }

    fn answer(&self, plain: impl FnOnce(&mut Script) -> Response) -> Response {
        let mut script = self.script.lock().unwrap();
        match script.redirect.clone() {
            Some(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
            None => plain(&mut script),
        }
    }
}

async fn metadata(State(issuer): State<Issuer>) -> Response {
    issuer.answer(|script| Body(script.metadata.clone()).into_response())
}

async fn keys_of(State(issuer): State<Issuer>) -> Response {
    issuer.answer(|script| {
        script.keys_asked += 1;
        Body(json!({ "keys": script.keys })).into_response()
    })
}

async fn token(
    State(issuer): State<Issuer>,
    headers: axum::http::HeaderMap,
    Form(form): Form<Fields>,
) -> Response {
    issuer.answer(|script| {
        let authorization = headers.get(header::AUTHORIZATION);
        let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
        script.asked.push((form, authorization));
        (script.token.0, Body(script.token.1.clone())).into_response()
    })
}

async fn userinfo(State(issuer): State<Issuer>) -> Response {
    issuer.answer(|script| Body(script.userinfo.clone()).into_response())
}
