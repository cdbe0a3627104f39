//! Which fields a caller may write, however the values came: by an input, nested in another, in a
//! batch, through a verb or from a file.

use super::Values;
use crate::access::Action;
use crate::ctx::Ctx;
use crate::error::{Error, Result, say};
use crate::record::declare::Record;

/// FORBIDDEN, with the name of the first field that the caller's roles do not let it write.
pub(super) fn check_fields(
    ctx: &Ctx,
    action: Action,
    record: &Record,
    values: &Values,
) -> Result<()> {
    let permissions = &ctx.actor.permissions;
    for column in values.keys() {
        let fields = record.fields.iter().filter(|field| field.column == *column);
        for field in fields {
            if !permissions.writes(record.resource, action, &field.name) {
                return Err(unwritable(&field.name));
            }
        }
    }
    Ok(())
}

pub(super) fn unwritable(field: &str) -> Error {
    Error::Forbidden {
        message: say(
            format!("your role may not write {field}"),
            format!("seu papel não permite escrever {field}"),
        ),
        field: Some(field.to_owned().into()),
    }
}
