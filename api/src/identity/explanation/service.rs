//! Finding out why.

use std::sync::Arc;

use uuid::Uuid;

use super::store;
use crate::access::policy::{Decision, decide};
use crate::access::{
    Action, Actor, Permissions, Reader, Resource, RowRule, ScopeKind, SystemHandle,
};
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Message, Result, say};
use crate::identity::{actor, role, user};
use crate::record::Record;

/// What is asked.
pub(super) struct Question<'q> {
    pub(super) resource: &'q str,
    pub(super) action: &'q str,
    pub(super) id: Option<Uuid>,
    /// Oneself when absent.
    pub(super) user_id: Option<Uuid>,
}

/// What a role grants of it.
pub(super) struct Granted {
    pub(super) role: String,
    pub(super) scope: ScopeKind,
    /// Name and rule of fields.
    pub(super) fields: Vec<(String, &'static str)>,
}

pub(super) struct Explanation {
    pub(super) allowed: bool,
    pub(super) grants: Vec<Granted>,
    /// What would have to be granted, `leads:update`.
    pub(super) missing: Option<String>,
    /// Which rows all roles together reach.
    pub(super) row_rule: Option<String>,
    pub(super) reason: Message,
}

/// Of whom it is asked.
struct Subject {
    actor: Actor,
    roles: Vec<(String, Permissions)>,
}

/// What is known of the one row asked about.
enum Row {
    /// None was named.
    Any,
    Unseen,
    Seen {
        is_reached: bool,
    },
}

pub(super) async fn explain(ctx: &Ctx, question: Question<'_>) -> Result<Explanation> {
    let (resource, action) = read(&question)?;
    let conn = ctx.snapshot().await?;
    let system = SystemHandle::for_tenant(ctx.tenant_id());
    let other = question.user_id.filter(|id| *id != ctx.actor.user_id);
    let subject = match other {
        None => oneself(ctx, &conn, &system).await?,
        Some(id) => another(ctx, &conn, &system, id).await?,
    };
    let grants = grants_of(&subject, resource, action);
    let wanted = format!("{}:{}", resource.as_str(), action.as_str());
    let Decision::Allow(rule) = decide(&subject.actor, action, resource) else {
        return Ok(Explanation {
            allowed: false,
            grants,
            reason: say(
                format!("no role grants {wanted}"),
                format!("nenhum papel permite {wanted}"),
            ),
            missing: Some(wanted),
            row_rule: None,
        });
    };
    let row = match question.id {
        None => Row::Any,
        Some(id) => {
            let record = record_of(ctx, resource)?;
            // Whose eyes count is who asks.
            let seen = match decide(&ctx.actor, Action::Read, resource) {
                Decision::Allow(seen) => {
                    store::reached(&conn, &system, (record, id), [&seen, &rule]).await?
                }
                Decision::Deny => None,
            };
            match seen {
                Some((true, is_reached)) => Row::Seen { is_reached },
                Some((false, _)) | None if other.is_some() => {
                    return Err(Error::not_found(record.name).at("id"));
                }
                Some((false, _)) | None => Row::Unseen,
            }
        }
    };
    conn.commit().await?;
    Ok(answer(&wanted, grants, &rule, &row))
}

fn answer(wanted: &str, grants: Vec<Granted>, rule: &RowRule, row: &Row) -> Explanation {
    let scopes: Vec<&str> = grants.iter().map(|granted| granted.scope.as_str()).collect();
    let scopes = scopes.join(", ");
    let roles: Vec<&str> = grants.iter().map(|granted| granted.role.as_str()).collect();
    let roles = roles.join(", ");
    let reason = match row {
        Row::Any => say(
            format!("{roles} grants {wanted}, scope {scopes}"),
            format!("{roles} permite {wanted}, escopo {scopes}"),
        ),
        Row::Seen { is_reached: true } => say(
            format!("{roles} grants {wanted}, scope {scopes}, and the row is within it"),
            format!("{roles} permite {wanted}, escopo {scopes}, e o registro está nele"),
        ),
        Row::Seen { is_reached: false } => say(
            format!("{roles} grants {wanted} with scope {scopes}: the row is beyond it"),
            format!("{roles} permite {wanted} com escopo {scopes}: o registro está fora dele"),
        ),
        Row::Unseen => say(
            "there is no such row, or it may not be seen",
            "não existe esse registro, ou ele não pode ser visto",
        ),
    };
    let allowed = match row {
        Row::Any | Row::Seen { is_reached: true } => true,
        Row::Unseen | Row::Seen { is_reached: false } => false,
    };
    let missing = match row {
        Row::Seen { is_reached: false } => Some(format!("{wanted} with a wider scope")),
        Row::Any | Row::Unseen | Row::Seen { is_reached: true } => None,
    };
    Explanation { allowed, grants, missing, row_rule: Some(in_words(rule)), reason }
}

fn in_words(rule: &RowRule) -> String {
    let people = |owners: &[Uuid]| format!("owner is one of {} users", owners.len());
    let company = |id: Option<Uuid>| match id {
        Some(id) => format!("company is {id}"),
        None => "no row: the user belongs to no company".to_owned(),
    };
    match rule {
        RowRule::All => "all rows".to_owned(),
        RowRule::Owners(owners) => people(owners),
        RowRule::Company(id) => company(*id),
        RowRule::Either(owners, id) => format!("{}, or {}", people(owners), company(*id)),
    }
}

fn grants_of(subject: &Subject, resource: Resource, action: Action) -> Vec<Granted> {
    let mut grants = Vec::new();
    for (name, permissions) in &subject.roles {
        let Some(reach) = permissions.reach(resource, action) else { continue };
        let rules = permissions.field_rules(resource);
        let fields: Vec<_> =
            rules.into_iter().map(|(field, rule)| (field.to_owned(), rule)).collect();
        grants.extend(reach.scopes().map(|scope| Granted {
            role: name.clone(),
            scope,
            fields: fields.clone(),
        }));
    }
    grants
}

async fn oneself(ctx: &Ctx, conn: &Conn, system: &SystemHandle) -> Result<Subject> {
    let actor = ctx.actor.clone();
    let roles = match (actor.api_key_id, actor.role_names.first()) {
        // A key has one role, narrowed by its scopes and fields.
        (Some(_), Some(name)) => vec![(name.clone(), Permissions::clone(&actor.permissions))],
        (Some(_), None) | (None, _) => roles_of(conn, system, actor.user_id).await?,
    };
    Ok(Subject { actor, roles })
}

async fn another(ctx: &Ctx, conn: &Conn, system: &SystemHandle, id: Uuid) -> Result<Subject> {
    let reader: Reader = ctx.reader(Resource::Users)?;
    let there = (user::record::record(), id);
    let rows = reader.rows();
    if !matches!(store::reached(conn, &reader, there, [rows, rows]).await?, Some((true, _))) {
        return Err(Error::not_found("User").at("userId"));
    }
    let roles = roles_of(conn, system, id).await?;
    let permissions =
        roles.iter().fold(Permissions::default(), |sum, (_, permissions)| sum.merge(permissions));
    let (org_unit_id, company_id) = store::place_of(conn, system, id).await?;
    let (team, org_unit_members) =
        actor::service::around(conn, system, (id, org_unit_id), &permissions).await?;
    let actor = Actor {
        tenant_id: ctx.tenant_id(),
        tenant: Arc::clone(&ctx.actor.tenant),
        user_id: id,
        api_key_id: None,
        persisted_only: false,
        errors_as_status: false,
        session_id: None,
        role_names: roles.iter().map(|(name, _)| name.clone()).collect(),
        permissions: Arc::new(permissions),
        team: team.into(),
        org_unit_members: org_unit_members.into(),
        company_id,
    };
    Ok(Subject { actor, roles })
}

async fn roles_of(
    conn: &Conn,
    system: &SystemHandle,
    user_id: Uuid,
) -> Result<Vec<(String, Permissions)>> {
    let stored = store::roles_of(conn, system, user_id).await?;
    Ok(stored
        .into_iter()
        .map(|(name, permissions)| {
            let rights = role::service::rights(&name, &permissions);
            (name, rights)
        })
        .collect())
}

fn read(question: &Question<'_>) -> Result<(Resource, Action)> {
    let unknown = |field: &'static str, names: Vec<&str>| {
        let names = names.join(", ");
        Error::invalid_field(
            field,
            say(format!("must be one of {names}"), format!("deve ser um de {names}")),
        )
    };
    let resource = Resource::parse(question.resource);
    let resource = resource
        .ok_or_else(|| unknown("resource", Resource::ALL.map(Resource::as_str).to_vec()))?;
    let action = Action::parse(question.action);
    let action =
        action.ok_or_else(|| unknown("action", Action::ALL.map(Action::as_str).to_vec()))?;
    Ok((resource, action))
}

fn record_of(ctx: &Ctx, resource: Resource) -> Result<&'static Record> {
    ctx.app.records.record(resource).ok_or_else(|| {
        let name = resource.as_str();
        Error::invalid_field(
            "id",
            say(
                format!("{name} has no rows with rules of their own: ask without an id"),
                format!("{name} não tem registros com regras próprias: pergunte sem id"),
            ),
        )
    })
}
