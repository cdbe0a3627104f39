//! What one request or one job carries: who asks, for which tenant, and the way to everything else.
//! It is the first argument all the way down.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::access::policy::{Decision, decide};
use crate::access::{Action, Actor, Reader, Resource, RowRule, Writer};
use crate::app::App;
use crate::browser::Browser;
use crate::db::{Conn, EngineRead};
use crate::error::{Error, Language, Result, say};

/// Where the work came from; goes into audit entries and logs.
#[derive(Debug, Clone)]
pub struct Origin {
    pub request_id: String,
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub language: Language,
    /// The `Idempotency-Key` header, where one was sent.
    pub idempotency_key: Option<String>,
    /// The browser behind the request, where it keeps its session in cookies.
    pub browser: Option<Arc<Browser>>,
}

impl Origin {
    /// Work that no request caused (command line, jobs).
    pub fn internal(request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            ip: None,
            user_agent: None,
            language: Language::En,
            idempotency_key: None,
            browser: None,
        }
    }
}

/// Who is at the door: somebody whose credential was good, or nobody yet.
pub enum Caller {
    Nobody { app: Arc<App>, origin: Origin },
    Somebody(Ctx),
}

impl Caller {
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Nobody { origin, .. } => origin,
            Self::Somebody(ctx) => &ctx.origin,
        }
    }

    pub fn app(&self) -> &Arc<App> {
        match self {
            Self::Nobody { app, .. } => app,
            Self::Somebody(ctx) => &ctx.app,
        }
    }
}

#[derive(Clone)]
pub struct Ctx {
    pub app: Arc<App>,
    pub actor: Actor,
    pub origin: Origin,
}

impl Ctx {
    pub fn new(app: Arc<App>, actor: Actor, origin: Origin) -> Self {
        Self { app, actor, origin }
    }

    pub fn tenant_id(&self) -> Uuid {
        self.actor.tenant_id
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// The right to read a resource, or FORBIDDEN.
    pub fn reader(&self, resource: Resource) -> Result<Reader> {
        match decide(&self.actor, Action::Read, resource) {
            Decision::Allow(rows) => Ok(Reader::granted(&self.actor, resource, rows)),
            Decision::Deny => Err(denied(Action::Read, resource)),
        }
    }

    /// The right to change a resource, or FORBIDDEN.
    pub fn writer(&self, action: Action, resource: Resource) -> Result<Writer> {
        match decide(&self.actor, action, resource) {
            Decision::Allow(rows) => Ok(Writer::granted(&self.actor, action, resource, rows)),
            Decision::Deny => Err(denied(action, resource)),
        }
    }

    /// The right to change what is the whole tenant's and nobody's own, or FORBIDDEN: a row scope that
    /// leaves rows out is not enough for it.
    pub fn whole_writer(&self, action: Action, resource: Resource) -> Result<Writer> {
        let writer = self.writer(action, resource)?;
        match writer.rows() {
            RowRule::All => Ok(writer),
            RowRule::Owners(_) | RowRule::Company(_) | RowRule::Either(..) => {
                Err(partial(resource))
            }
        }
    }

    /// A connection that sees one unchanging state of the database until it is dropped.
    pub async fn snapshot(&self) -> Result<Conn> {
        self.app.db.snapshot().await
    }

    /// A connection for one read statement, which is its own snapshot.
    pub async fn single_read(&self) -> Result<Conn> {
        self.app.db.single_read().await
    }

    /// A connection for the record engine's reads.
    pub async fn engine_read(&self, read: EngineRead) -> Result<Conn> {
        self.app.db.engine_read(read).await
    }

    /// A transaction that writes; nothing of it stays unless [`Conn::commit`] succeeds.
    pub async fn transaction(&self) -> Result<Conn> {
        self.app.db.transaction().await
    }
}

fn partial(resource: Resource) -> Error {
    let resource = resource.as_str();
    Error::forbidden(say(
        format!("this is the whole tenant's: your role reaches a part of its {resource}"),
        format!("isto é da conta toda: seu papel alcança só uma parte de {resource}"),
    ))
}

fn denied(action: Action, resource: Resource) -> Error {
    let (action, resource) = (action.as_str(), resource.as_str());
    Error::forbidden(say(
        format!("your role may not {action} {resource}"),
        format!("seu papel não permite {action} em {resource}"),
    ))
}
