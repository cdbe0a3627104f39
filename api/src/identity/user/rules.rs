//! What holds for every change of a user through the engine: whoever may change users does not come to
//! more than their own rights that way. Imports are the operator's and are not asked.

use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;

use super::standing;
use crate::access::{Action, Resource, RowRule};
use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::identity::account;
use crate::identity::session::service::revoke_all_of;
use crate::record::change::{RowChange, Session};

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// What somebody's own rows are found by: it decides what they see.
const PLACE: [(&str, &str); 3] =
    [("org_unit_id", "orgUnitId"), ("manager_id", "managerId"), ("company_id", "companyId")];

/// Before users are written: the address of somebody who may do more is not changed (a password reset
/// would go there), nor are they shut out; nobody shuts themselves out; and whose right does not
/// reach everybody does not choose their own place.
pub(super) fn protect<'a>(ctx: &'a Ctx, conn: &'a Conn, changes: &'a mut [RowChange]) -> Boxed<'a> {
    Box::pin(async move {
        standing::keep_managers(ctx, conn, changes).await?;
        let own = ctx.actor.user_id;
        for change in changes.iter_mut().filter(|change| is_update(change)) {
            if change.changes("email") {
                // The new address was not proved by any mail.
                change.new.insert("is_verified", Value::Bool(false));
            }
            if change.id == own && is_shut_out(change) {
                return Err(Error::forbidden(say(
                    "nobody deactivates themselves",
                    "ninguém desativa a si mesmo",
                ))
                .at("isActive"));
            }
        }
        let changes: Vec<&RowChange> = changes.iter().filter(|change| is_update(change)).collect();
        let changing = |column: &str| -> Vec<Uuid> {
            let changing = changes.iter().filter(|change| change.changes(column));
            changing.map(|change| change.id).collect()
        };
        for (column, field) in [("email", "email"), ("is_active", "isActive")] {
            let ids = changing(column);
            if !ids.is_empty() {
                let writer = ctx.writer(Action::Update, Resource::Users)?;
                account::roles::check_not_above(ctx, conn, &writer, &ids, field).await?;
            }
        }
        for (column, field) in PLACE {
            if changing(column).contains(&own) {
                let writer = ctx.writer(Action::Update, Resource::Users)?;
                if *writer.rows() != RowRule::All {
                    return Err(Error::forbidden(say(
                        "your role does not let you choose your own place",
                        "seu papel não permite escolher o seu próprio lugar",
                    ))
                    .at(field));
                }
            }
        }
        Ok(())
    })
}

/// After users are written: links to an address that is no longer theirs, and everything that opens
/// an account that was closed, end with it.
pub(super) fn close_ways_in<'a>(
    ctx: &'a Ctx,
    conn: &'a Conn,
    changes: &'a mut [RowChange],
) -> Boxed<'a> {
    Box::pin(async move {
        let changes: Vec<&RowChange> = changes.iter().filter(|change| is_update(change)).collect();
        let shut_out = || changes.iter().filter(|change| is_shut_out(change));
        let moved = changes.iter().filter(|change| change.changes("email"));
        let ids: Vec<Uuid> = moved.chain(shut_out()).map(|change| change.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let writer = ctx.writer(Action::Update, Resource::Users)?;
        account::revoke_links(ctx, conn, &writer, &ids).await?;
        for change in shut_out() {
            revoke_all_of(conn, &writer, &ctx.app.clock, change.id, None).await?;
        }
        Ok(())
    })
}

/// After users were changed, deleted or removed: an administrator is left.
pub(super) fn keep_an_admin<'a>(
    session: &'a mut Session<'_>,
    changes: &'a [RowChange],
) -> Boxed<'a> {
    Box::pin(async move {
        let leaving: Vec<Uuid> =
            changes.iter().filter(|change| leaves(change)).map(|change| change.id).collect();
        if leaving.is_empty() {
            return Ok(());
        }
        // Whichever right it is by which they go.
        let may = [Action::Update, Action::Delete, Action::Destroy];
        let ctx = session.ctx();
        let writer = may.into_iter().find_map(|action| ctx.writer(action, Resource::Users).ok());
        let Some(writer) = writer else { return Ok(()) };
        if standing::has_admins(session.conn(), &writer, &leaving).await? {
            standing::keep_an_admin(session.conn(), &writer).await?;
        }
        Ok(())
    })
}

/// Deactivated or deleted. Who has roles is not removed for good before that.
fn leaves(change: &RowChange) -> bool {
    let is_deleted =
        change.changes("deleted_at") && change.after("deleted_at").is_some_and(|at| !at.is_null());
    is_update(change) && (is_shut_out(change) || is_deleted)
}

fn is_update(change: &RowChange) -> bool {
    change.old.is_some() && !change.imported
}

fn is_shut_out(change: &RowChange) -> bool {
    change.changes("is_active") && change.after("is_active") == Some(&Value::Bool(false))
}
