//! Rights to what is no record: roles, keys and settings belong to nobody in particular and have no
//! rules for fields. And the one rule of handing out rights: nobody gives more than they have.

use crate::access::{Action, Permissions, Reader, Resource, Writer};
use crate::ctx::Ctx;
use crate::error::{Error, Result, say};

/// Reasons that a refusal names at most.
const LACKS_SHOWN: usize = 5;

/// The right to read all of a resource that is no record.
pub(super) fn reader(ctx: &Ctx, resource: Resource) -> Result<Reader> {
    let reader = ctx.reader(resource)?;
    if reader.rows().reaches_everybodys() && reader.is_whole() {
        return Ok(reader);
    }
    Err(beyond(resource))
}

/// The right to change what is no record.
pub(super) fn writer(ctx: &Ctx, action: Action, resource: Resource) -> Result<Writer> {
    let writer = ctx.writer(action, resource)?;
    if writer.rows().reaches_everybodys() { Ok(writer) } else { Err(beyond(resource)) }
}

fn beyond(resource: Resource) -> Error {
    let resource = resource.as_str();
    Error::forbidden(say(
        format!("{resource} are beyond what your role reaches"),
        format!("{resource} estão fora do alcance do seu papel"),
    ))
}

/// FORBIDDEN, with what is lacking, unless the caller has every right that is to be handed out.
pub(super) fn check_handed_out(ctx: &Ctx, rights: &Permissions) -> Result<()> {
    let lacks = ctx.actor.permissions.lacks(rights);
    if lacks.is_empty() {
        return Ok(());
    }
    let mut shown: Vec<&str> = lacks.iter().take(LACKS_SHOWN).map(String::as_str).collect();
    if lacks.len() > LACKS_SHOWN {
        shown.push("…");
    }
    let shown = shown.join("; ");
    Err(Error::forbidden(say(
        format!("you may not hand out more than you have: {shown}"),
        format!("não se concede mais do que se tem: {shown}"),
    )))
}
