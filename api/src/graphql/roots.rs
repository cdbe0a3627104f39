//! The roots of the schema: the rooms merged, and the engine's fields, which exist once per record
//! without a resolver each.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::registry::{MetaTypeId, Registry};
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, CustomDirective, Directive, MergedObject,
    MergedSubscription, ObjectType, OutputType, Positioned, ServerResult, Value,
};

use super::catalogue::catalogue;
use super::enums::EnumsQuery;
use super::operation::OperationState;
use super::rate_limit::RateLimitQuery;
use super::registered::{RegisteredMutation, RegisteredQuery};
use crate::analytics::event::graphql::EventMutation;
use crate::analytics::event::quarantine::graphql::QuarantineMutation;
use crate::analytics::event::schema::graphql::EventSchemaMutation;
use crate::analytics::rollup::graphql::SnapshotMutation;
use crate::analytics::series::graphql::MetricSubscription;
use crate::identity::account::graphql::AccountMutation;
use crate::identity::api_key::graphql::{ApiKeyMutation, ApiKeyQuery};
use crate::identity::explanation::graphql::ExplanationQuery;
use crate::identity::graphql::IdentityQuery;
use crate::identity::identity_provider::graphql::{
    IdentityProviderMutation, IdentityProviderQuery,
};
use crate::identity::notification::graphql::{
    NotificationMutation, NotificationQuery, NotificationSubscription,
};
use crate::identity::role::graphql::{RoleMutation, RoleQuery};
use crate::identity::session::graphql::{SessionMutation, SessionQuery};
use crate::identity::single_sign_on::graphql::{SignInMutation, SignInQuery};
use crate::identity::tenant::graphql::{TenantMutation, TenantQuery};
use crate::jobs::graphql::JobMutation;
use crate::record::schema;

#[derive(MergedObject, Default)]
pub(crate) struct Query(
    EngineQuery,
    IdentityQuery,
    SessionQuery,
    EnumsQuery,
    RateLimitQuery,
    RegisteredQuery,
    RoleQuery,
    ApiKeyQuery,
    TenantQuery,
    ExplanationQuery,
    IdentityProviderQuery,
    SignInQuery,
    NotificationQuery,
);

#[derive(MergedObject, Default)]
pub(crate) struct Mutation(
    EngineMutation,
    SessionMutation,
    AccountMutation,
    RegisteredMutation,
    RoleMutation,
    ApiKeyMutation,
    TenantMutation,
    IdentityProviderMutation,
    SignInMutation,
    NotificationMutation,
    EventMutation,
    QuarantineMutation,
    EventSchemaMutation,
    SnapshotMutation,
    JobMutation,
);

#[derive(MergedSubscription, Default)]
pub(crate) struct Subscription(NotificationSubscription, MetricSubscription);

/// Every record's list, single record, aggregate and groups.
#[derive(Default)]
pub(crate) struct EngineQuery;

impl ContainerType for EngineQuery {
    async fn resolve_field(&self, context: &Context<'_>) -> ServerResult<Option<Value>> {
        if catalogue().read(context.item.node.name.node.as_str()).is_none() {
            return Ok(None);
        }
        let state = context
            .data::<Arc<OperationState>>()
            .map_err(|error| error.into_server_error(context.item.pos))?;
        state.read(context).await?;
        // The text goes into the response when it is written.
        Ok(Some(Value::Null))
    }
}

impl OutputType for EngineQuery {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("EngineQuery")
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Self, _>(MetaTypeId::Object, |registry| {
            schema::register_shared(registry);
            let mut fields = Vec::new();
            for record in &catalogue().records {
                schema::register(registry, record);
                fields.extend(schema::root_fields(record));
            }
            schema::object("EngineQuery", "", fields)
        })
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        async_graphql::resolver_utils::resolve_container(context, self).await
    }
}

impl ObjectType for EngineQuery {}

/// Every record's mutations.
#[derive(Default)]
pub(crate) struct EngineMutation;

impl ContainerType for EngineMutation {
    async fn resolve_field(&self, context: &Context<'_>) -> ServerResult<Option<Value>> {
        let Some(write) = catalogue().write(context.item.node.name.node.as_str()) else {
            return Ok(None);
        };
        let state = context
            .data::<Arc<OperationState>>()
            .map_err(|error| error.into_server_error(context.item.pos))?;
        state.write(context, write).await?;
        Ok(Some(Value::Null))
    }
}

impl OutputType for EngineMutation {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("EngineMutation")
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Self, _>(MetaTypeId::Object, |_registry| {
            let records = &catalogue().records;
            let fields = records.iter().flat_map(|record| schema::mutation_fields(record));
            schema::object("EngineMutation", "", fields.collect())
        })
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        async_graphql::resolver_utils::resolve_container(context, self).await
    }
}

impl ObjectType for EngineMutation {}

/// The mutation is done once under this key (72 hours), however often it is sent.
#[Directive(location = "Field")]
pub(crate) fn idempotent(key: String) -> impl CustomDirective {
    Idempotent { _key: key }
}

/// Read by the engine itself, from the document; nothing to do around the field.
struct Idempotent {
    _key: String,
}

impl CustomDirective for Idempotent {}
