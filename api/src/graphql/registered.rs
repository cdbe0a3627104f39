//! Registered operations: the fields that keep the list, and the check that holds a key to it.

use std::time::Duration;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use moka::future::Cache;
use uuid::Uuid;

use super::{Caller, Refusal, field_error};
use crate::ctx::Ctx;
use crate::error::{self, Error, say};
use crate::identity::graphql::Instant;
use crate::identity::persisted_operation::service::{self, PersistedOperation};
use crate::limits;

/// What tenants have registered, remembered as long as a credential is.
pub(super) struct Registered {
    /// By tenant and digest.
    known: Cache<(Uuid, String), String>,
}

impl Registered {
    pub(super) fn new() -> Self {
        let weigh = |(_, hash): &(Uuid, String), text: &String| {
            u32::try_from(hash.len().saturating_add(text.len())).unwrap_or(u32::MAX)
        };
        let known = Cache::builder()
            .weigher(weigh)
            .max_capacity(limits::PERSISTED_DOCUMENT_BYTES_MAX)
            .time_to_live(Duration::from_millis(limits::CREDENTIAL_CACHE_MS))
            .build();
        Self { known }
    }

    /// The document that the caller's tenant has registered under a digest.
    pub(super) async fn document(
        &self,
        ctx: &Ctx,
        sha256_hash: &str,
    ) -> error::Result<Option<String>> {
        let place = (ctx.tenant_id(), sha256_hash.to_ascii_lowercase());
        if let Some(known) = self.known.get(&place).await {
            return Ok(Some(known));
        }
        let found = service::document(ctx, &place.1).await?;
        if let Some(document) = &found {
            self.known.insert(place, document.clone()).await;
        }
        Ok(found)
    }

    /// Whether a caller may run this document: a key that is held to registered ones, no other.
    pub(super) async fn admit(
        &self,
        caller: &Caller,
        document: &str,
    ) -> std::result::Result<(), Refusal> {
        let Caller::Somebody(ctx) = caller else { return Ok(()) };
        if !ctx.actor.persisted_only {
            return Ok(());
        }
        match Box::pin(self.document(ctx, &service::hash_of(document))).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Refusal::of(not_registered())),
            Err(error) => Err(Refusal::of(error)),
        }
    }

    fn forget(&self) {
        self.known.invalidate_all();
    }
}

fn not_registered() -> Error {
    Error::forbidden(say(
        "this API key runs registered operations only, and this is none: register it with \
         persistedOperationRegister",
        "esta chave de API executa apenas operações registradas, e esta não é uma delas: \
         registre-a com persistedOperationRegister",
    ))
}

#[derive(Default)]
pub(crate) struct RegisteredQuery;

#[derive(Default)]
pub(crate) struct RegisteredMutation;

#[Object]
impl RegisteredQuery {
    /// The operations that keys marked `persistedOnly` may run, oldest first.
    async fn persisted_operations(
        &self,
        context: &Context<'_>,
    ) -> Result<Vec<RegisteredOperation>> {
        let ctx = somebody(context)?;
        let operations = service::list(ctx).await.map_err(spoken(ctx))?;
        Ok(operations.into_iter().map(RegisteredOperation::from).collect())
    }
}

#[Object]
impl RegisteredMutation {
    /// Registers a document for keys that run registered operations only. A document that is
    /// registered already stays as it is.
    async fn persisted_operation_register(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The text as it will be sent, to the letter.")] document: String,
        #[graphql(desc = "What people call it.")] name: String,
    ) -> Result<RegisteredOperation> {
        let ctx = somebody(context)?;
        if let Err(refusal) = ctx.app.graphql.documents.parse(&document).await {
            let error = (*refusal.error).at("document");
            return Err(field_error(&error, ctx.origin.language));
        }
        let operation = service::register(ctx, &name, document).await.map_err(spoken(ctx))?;
        Ok(operation.into())
    }

    /// Takes a registered operation back; answers its id.
    async fn persisted_operation_remove(&self, context: &Context<'_>, id: ID) -> Result<ID> {
        let ctx = somebody(context)?;
        let known = read_id(&id).map_err(spoken(ctx))?;
        service::remove(ctx, known).await.map_err(spoken(ctx))?;
        ctx.app.graphql.registered.forget();
        Ok(id)
    }

    /// Holds an API key to registered operations, or lets it run any; answers what holds now.
    async fn api_key_set_persisted_only(
        &self,
        context: &Context<'_>,
        id: ID,
        persisted_only: bool,
    ) -> Result<bool> {
        let ctx = somebody(context)?;
        let known = read_id(&id).map_err(spoken(ctx))?;
        service::hold_key(ctx, known, persisted_only).await.map_err(spoken(ctx))?;
        Ok(persisted_only)
    }
}

/// A document that keys marked `persistedOnly` may run.
#[derive(SimpleObject)]
#[graphql(name = "PersistedOperation")]
struct RegisteredOperation {
    id: ID,
    name: String,
    /// What a client sends as `extensions.persistedQuery.sha256Hash` instead of the document.
    sha256_hash: String,
    document: String,
    created_at: Instant,
}

impl From<PersistedOperation> for RegisteredOperation {
    fn from(operation: PersistedOperation) -> Self {
        Self {
            id: operation.id.to_string().into(),
            name: operation.name,
            sha256_hash: operation.sha256_hash,
            document: operation.document,
            created_at: Instant(operation.created_at),
        }
    }
}

fn somebody<'c>(context: &'c Context<'_>) -> Result<&'c Ctx> {
    match context.data::<Caller>()? {
        Caller::Somebody(ctx) => Ok(ctx),
        Caller::Nobody { origin, .. } => {
            Err(field_error(&Error::unauthenticated(), origin.language))
        }
    }
}

fn read_id(id: &ID) -> error::Result<Uuid> {
    id.parse().map_err(|_not_an_id| Error::invalid_field("id", say("not an id", "não é um id")))
}

fn spoken(ctx: &Ctx) -> impl Fn(Error) -> async_graphql::Error + use<> {
    let language = ctx.origin.language;
    move |error| field_error(&error, language)
}
