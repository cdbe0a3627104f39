//! `roles`, `roleCreate`, `roleUpdate`, `roleDelete`.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use serde_json::Value as Json;

use super::changing::{self, Held, NewRole, RoleChange};
use crate::identity::graphql::{Instant, in_language, read_id, somebody};

#[derive(Default)]
pub struct RoleQuery;

#[derive(Default)]
pub struct RoleMutation;

#[Object]
impl RoleQuery {
    /// All roles of the tenant, by name.
    async fn roles(&self, context: &Context<'_>) -> Result<Vec<Role>> {
        let ctx = somebody(context)?;
        let roles = changing::all(ctx).await.map_err(in_language(&ctx.origin))?;
        Ok(roles.into_iter().map(Role::of).collect())
    }
}

#[Object]
impl RoleMutation {
    /// Makes a role that allows no more than the caller may do.
    async fn role_create(&self, context: &Context<'_>, input: RoleCreateInput) -> Result<Role> {
        let ctx = somebody(context)?;
        let new = NewRole {
            name: input.name,
            label: input.label,
            description: input.description,
            permissions: input.permissions,
        };
        let held = changing::create(ctx, new).await.map_err(in_language(&ctx.origin))?;
        Ok(Role::of(held))
    }

    /// Changes a role; what is left out stays. It holds for everybody within a second.
    async fn role_update(
        &self,
        context: &Context<'_>,
        id: ID,
        input: RoleUpdateInput,
        expected_version: Option<i32>,
    ) -> Result<Role> {
        let ctx = somebody(context)?;
        let given = |text: MaybeUndefined<String>| match text {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(text) => Some(Some(text)),
        };
        let change = RoleChange {
            name: input.name,
            label: given(input.label),
            description: given(input.description),
            permissions: input.permissions,
            expected_version,
        };
        let held = async { changing::update(ctx, read_id(&id, "id")?, change).await };
        Ok(Role::of(held.await.map_err(in_language(&ctx.origin))?))
    }

    /// Removes a role that nobody has.
    async fn role_delete(&self, context: &Context<'_>, id: ID) -> Result<ID> {
        let ctx = somebody(context)?;
        let gone = async { changing::delete(ctx, read_id(&id, "id")?).await };
        Ok(gone.await.map_err(in_language(&ctx.origin))?.to_string().into())
    }
}

/// A named set of permissions.
#[derive(SimpleObject)]
struct Role {
    id: ID,
    name: String,
    label: Option<String>,
    description: Option<String>,
    /// By resource, the scope of each action and the rules of fields.
    permissions: Json,
    /// One of those that every tenant begins with: it keeps its name and stays.
    is_seed: bool,
    /// Users who have it.
    user_count: i64,
    /// API keys that have it and have not ended.
    api_key_count: i64,
    created_at: Instant,
    updated_at: Instant,
    version: i32,
}

impl Role {
    fn of(held: Held) -> Self {
        let (role, holders) = (held.role, held.holders);
        Self {
            id: role.id.to_string().into(),
            is_seed: changing::is_seed(&role.name),
            name: role.name,
            label: role.label_pt,
            description: role.description,
            permissions: role.permissions,
            user_count: holders.users,
            api_key_count: holders.keys,
            created_at: Instant(role.created_at),
            updated_at: Instant(role.updated_at),
            version: role.version,
        }
    }
}

#[derive(InputObject)]
struct RoleCreateInput {
    /// Out of a-z, 0-9, _ and -, a letter first.
    name: String,
    label: Option<String>,
    description: Option<String>,
    /// As in `Role.permissions`.
    permissions: Json,
}

#[derive(InputObject)]
struct RoleUpdateInput {
    name: Option<String>,
    label: MaybeUndefined<String>,
    description: MaybeUndefined<String>,
    /// As in `Role.permissions`; replaces all of them.
    permissions: Option<Json>,
}
