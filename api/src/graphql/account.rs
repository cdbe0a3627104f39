//! What one operation costs, charged in two steps: the operation itself before anything is looked
//! at, and its rows once they are planned and before they are read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use async_graphql::Value as Input;

use super::{Caller, Refusal};
use crate::app::App;
use crate::ctx::Origin;
use crate::error::{Error, Result};
use crate::limits;
use crate::rate::{self, Bucket, Standings, Subject};
use crate::record::selection::Selected;

/// Points that every operation costs.
const OPERATION_POINTS: u64 = 1;
/// A record that is written counts as so many that are read.
const ROWS_PER_INPUT: u64 = 10;
/// Mutations that anybody may try, and what bounds the trying.
const GUARDED: [(&str, Bucket); 3] = [
    ("login", Bucket::Login),
    ("signInRedeem", Bucket::Login),
    ("passwordResetRequest", Bucket::PasswordReset),
];

/// What an operation was charged so far.
#[derive(Default)]
pub(super) struct Account {
    points: AtomicU64,
    standings: Mutex<Standings>,
    retry_after_s: AtomicU64,
}

impl Account {
    /// Charges the operation itself.
    pub(super) async fn open(caller: &Caller) -> (Self, Result<()>) {
        let account = Self::default();
        let charged = account.charge(caller, OPERATION_POINTS).await;
        (account, charged)
    }

    /// Charges the rows that a plan may return.
    pub(super) async fn charge_rows(&self, caller: &Caller, rows: u64) -> Result<()> {
        self.charge(caller, rate::cost_of_rows(rows)).await
    }

    /// Charges a mutation: the rows of its answer, and the records that it is given.
    pub(super) async fn charge_write(
        &self,
        caller: &Caller,
        rows: u64,
        selected: &Selected,
    ) -> Result<()> {
        let inputs = match selected.argument("inputs") {
            Some(Input::List(items)) => u64::try_from(items.len()).unwrap_or(u64::MAX),
            _ => 1,
        };
        let written = inputs.saturating_mul(ROWS_PER_INPUT);
        let rows = rate::cost_of_rows(rows.saturating_add(written));
        self.charge(caller, limits::RATE_MUTATION_POINTS.saturating_add(rows)).await
    }

    /// Charges the start of a subscription.
    pub(super) async fn charge_subscription(&self, caller: &Caller) -> Result<()> {
        self.charge(caller, limits::RATE_SUBSCRIPTION_POINTS).await
    }

    async fn charge(&self, caller: &Caller, points: u64) -> Result<()> {
        if points == 0 {
            return Ok(());
        }
        let charge = rate::charge(caller, points).await;
        self.points.fetch_add(points, Ordering::Relaxed);
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        standings.updated_by(&charge.standings);
        charge.refused.map_or(Ok(()), Err)
    }

    pub(super) fn points(&self) -> u64 {
        self.points.load(Ordering::Relaxed)
    }

    pub(super) fn standings(&self) -> Standings {
        *self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers when a refused operation may be sent again.
    pub(super) fn note(&self, error: &Error) {
        if let Error::RateLimited { retry_after_s, .. } = error {
            self.retry_after_s.store(*retry_after_s, Ordering::Relaxed);
        }
    }

    pub(super) fn retry_after_s(&self) -> u64 {
        self.retry_after_s.load(Ordering::Relaxed)
    }
}

/// Whether an operation asks for what anybody may try.
pub(super) fn is_guarded(fields: &[String]) -> bool {
    fields.iter().any(|field| GUARDED.iter().any(|(name, _)| name == field))
}

/// Counts the attempts that an operation makes at what anybody may try.
pub(super) async fn guard(
    app: &App,
    origin: &Origin,
    fields: impl Iterator<Item = &str>,
) -> std::result::Result<(), Refusal> {
    let Some(ip) = origin.ip else { return Ok(()) };
    for field in fields {
        if let Some((_, bucket)) = GUARDED.iter().find(|(name, _)| *name == field) {
            let checked = rate::check(app, *bucket, Subject::address(ip), 1).await;
            checked.map_err(Refusal::of)?;
        }
    }
    Ok(())
}
