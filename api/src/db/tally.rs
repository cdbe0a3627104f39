//! How many statements one operation runs, counted where they run.
//!
//! Local to the task, and not handed down: stores take their connections from many places, and a
//! counter that each had to pass on would be forgotten by the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

tokio::task_local! {
    static OPERATION: Tally;
}

/// Counts the statements of all connections that are taken while it is [over](Tally::over) the work.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    statements: Arc<AtomicU32>,
}

impl Tally {
    /// Does work whose statements are counted here, and by no other.
    pub async fn over<F: Future>(&self, work: F) -> F::Output {
        OPERATION.scope(self.clone(), work).await
    }

    /// Statements counted so far; BEGIN and COMMIT are none.
    pub fn statements(&self) -> u32 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Begins anew.
    pub fn restart(&self) {
        self.statements.store(0, Ordering::Relaxed);
    }

    /// That of the work that is under way.
    pub(super) fn current() -> Option<Self> {
        OPERATION.try_with(Self::clone).ok()
    }

    pub(super) fn add(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }
}
