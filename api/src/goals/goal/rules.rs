//! What holds for every goal, however it is written.

use std::future::Future;
use std::pin::Pin;

use crate::error::Result;
use crate::goals::{epoch, sale};
use crate::record::change::{RowChange, Session};

/// After goals are written: what is kept of their sellers is out of date, of the seller before too.
pub(super) fn raise_epochs<'a>(
    session: &'a mut Session<'_>,
    changes: &'a [RowChange],
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
    Box::pin(async move {
        for seller in sale::sellers_of(changes) {
            session.raise(epoch::of_goals(seller));
        }
        Ok(())
    })
}
