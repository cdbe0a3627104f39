//! What holds for every lead, however it is written.

use std::future::Future;
use std::pin::Pin;

use crate::ctx::Ctx;
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::record::change::RowChange;

/// A lead begins new and is converted by `leadConvert` alone, which makes its company, contact and
/// deal with it. Imports may set any state.
pub(super) fn guard_status<'a>(
    _ctx: &'a Ctx,
    _conn: &'a Conn,
    changes: &'a mut [RowChange],
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
    Box::pin(async move { changes.iter().try_for_each(check_status) })
}

fn check_status(change: &RowChange) -> Result<()> {
    if change.imported || !change.changes("status") {
        return Ok(());
    }
    let Some(Value::Text(status)) = change.new.get("status") else { return Ok(()) };
    if change.old.is_none() && status != "new" {
        return Err(Error::invalid_field(
            "status",
            say("a lead begins as NEW", "um lead começa como NEW"),
        ));
    }
    let by_verb = matches!(change.new.get("converted_at"), Some(Value::Instant(_)));
    if status == "converted" && !by_verb {
        return Err(Error::conflict_field(
            "status",
            say("leads are converted by leadConvert", "leads são convertidos por leadConvert"),
        ));
    }
    Ok(())
}
