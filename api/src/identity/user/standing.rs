//! Rules of a tenant's people as a whole: somebody is always there who may do everything, and nobody
//! leads those who lead them.

use std::collections::HashMap;

use uuid::Uuid;

use super::store;
use crate::access::{Action, Permit, Resource};
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::identity::org_unit::rules::is_beneath_itself;
use crate::identity::role::ADMIN;
use crate::identity::tenant;
use crate::record::change::RowChange;

/// Whether one of these has the role admin, in whatever state they are.
pub(super) async fn has_admins(conn: &Conn, permit: &impl Permit, ids: &[Uuid]) -> Result<bool> {
    let holders = store::holders_of(conn, permit, (ADMIN, false)).await?;
    Ok(ids.iter().any(|id| holders.contains(id)))
}

/// CONFLICT where nobody is left that has the role admin, lives and is active: to be asked in the
/// transaction that took it from somebody, after it was taken. Service accounts do not count, because
/// nobody signs in as one.
pub(in crate::identity) async fn keep_an_admin(conn: &Conn, permit: &impl Permit) -> Result<()> {
    tenant::service::lock(conn, permit).await?;
    if !store::holders_of(conn, permit, (ADMIN, true)).await?.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(say(
        "this is the tenant's last administrator: make somebody else one first",
        "esta é a última pessoa administradora da conta: dê esse papel a outra antes",
    )))
}

/// INVALID where somebody would lead those who lead them: the scope `team` follows that way down.
pub(super) async fn keep_managers(ctx: &Ctx, conn: &Conn, changes: &[RowChange]) -> Result<()> {
    // Nobody is led by somebody new yet.
    let moves: HashMap<Uuid, Option<Uuid>> = changes
        .iter()
        .filter(|change| change.old.is_some() && change.changes("manager_id"))
        .map(|change| (change.id, manager_of(change)))
        .collect();
    if moves.values().all(Option::is_none) {
        return Ok(());
    }
    let writer = ctx.writer(Action::Update, Resource::Users)?;
    tenant::service::lock(conn, &writer).await?;
    let mut managers = store::managers(conn, &writer).await?;
    managers.extend(moves.iter().map(|(id, manager)| (*id, *manager)));
    if moves.keys().any(|id| is_beneath_itself(*id, &managers)) {
        return Err(Error::invalid_field(
            "managerId",
            say("nobody leads those who lead them", "ninguém chefia quem está acima de si"),
        ));
    }
    Ok(())
}

fn manager_of(change: &RowChange) -> Option<Uuid> {
    match change.new.get("manager_id") {
        Some(Value::Id(id)) => Some(*id),
        _ => None,
    }
}
