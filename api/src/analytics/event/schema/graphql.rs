//! `eventSchemaPut` and `eventSchemaDelete`.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use serde_json::Value as Json;

use super::service::{self, Upload, Uploaded};
use super::store::Stored;
use crate::identity::graphql::{in_language, read_id, somebody};

#[derive(Default)]
pub struct EventSchemaMutation;

#[Object]
impl EventSchemaMutation {
    /// Adds a version of an event type. It takes whatever the version before it takes, or is refused
    /// with what does not; the same again does nothing. A version is never changed.
    async fn event_schema_put(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "`tickets`, `messaging`, …: lower-case letters, digits and _.")]
        module: String,
        #[graphql(desc = "`ticket.created`")] event_type: String,
        #[graphql(desc = "1 to 9999, higher than those that are there.")] schema_version: i32,
        #[graphql(
            desc = "JSON Schema (draft 2020-12) of the payload; `x-pii` marks what is personal: \
                          drop, hash or mask."
        )]
        schema: Json,
    ) -> Result<EventSchemaUploaded> {
        let ctx = somebody(context)?;
        let version = schema_version.into();
        let upload = Upload { module, event_type, version, schema };
        let uploaded = service::put(ctx, upload).await.map_err(in_language(&ctx.origin))?;
        Ok(EventSchemaUploaded::of(uploaded))
    }

    /// Takes a version of an event type away. Events of it are of an unknown version from then on.
    async fn event_schema_delete(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> Result<EventSchemaDeleted> {
        let ctx = somebody(context)?;
        let refuse = in_language(&ctx.origin);
        let id = read_id(&id, "id").map_err(&refuse)?;
        let stored = service::delete(ctx, id).await.map_err(&refuse)?;
        Ok(EventSchemaDeleted::of(stored))
    }
}

/// A version of an event type that is there now.
#[derive(SimpleObject)]
struct EventSchemaUploaded {
    id: ID,
    module: String,
    event_type: String,
    schema_version: i64,
    /// False where it was there already.
    is_new: bool,
    /// What it says, in Markdown.
    documentation: String,
}

/// A version of an event type that was taken away.
#[derive(SimpleObject)]
struct EventSchemaDeleted {
    id: ID,
    module: String,
    event_type: String,
    schema_version: i64,
}

impl EventSchemaUploaded {
    fn of(uploaded: Uploaded) -> Self {
        let Uploaded { schema, is_new, documentation } = uploaded;
        Self {
            id: schema.id.to_string().into(),
            module: schema.module,
            event_type: schema.event_type,
            schema_version: schema.version,
            is_new,
            documentation,
        }
    }
}

impl EventSchemaDeleted {
    fn of(schema: Stored) -> Self {
        Self {
            id: schema.id.to_string().into(),
            module: schema.module,
            event_type: schema.event_type,
            schema_version: schema.version,
        }
    }
}
