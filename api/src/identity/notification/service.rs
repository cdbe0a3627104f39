//! What people do with their notifications. They are their user's own, whatever roles allow.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::Stream;
use futures::stream::unfold;
use uuid::Uuid;

use super::feed::Watch;
use super::store::{self, Span};
use crate::access::SystemHandle;
use crate::ctx::Ctx;
use crate::error::{Error, Result, say};
use crate::limits;
use crate::notice::Kind;

const AGAIN_AFTER_FAILURE: Duration = Duration::from_millis(limits::NEWS_POLL_MS);

/// What somebody was told.
#[derive(Debug, Clone)]
pub struct Notification {
    pub id: Uuid,
    /// Its place among its user's.
    pub number: i64,
    pub kind: Kind,
    pub actor_id: Option<Uuid>,
    pub resource: Option<String>,
    pub record_id: Option<Uuid>,
    pub count: i64,
    pub read_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A part of the list, newest first.
pub(super) struct Page {
    pub(super) nodes: Vec<Notification>,
    pub(super) has_next: bool,
    /// Whether it goes on from another page.
    pub(super) is_continued: bool,
}

/// What of the list is asked for.
pub(super) struct Question<'q> {
    pub(super) first: Option<i32>,
    pub(super) after: Option<&'q str>,
    pub(super) unread_only: bool,
}

/// The caller's notifications, newest first.
pub(super) async fn page(ctx: &Ctx, question: Question<'_>) -> Result<Page> {
    let most = rows_of(question.first)?;
    let before = question.after.map(read_cursor).transpose()?.unwrap_or(i64::MAX);
    let (system, conn) = (own(ctx), ctx.single_read().await?);
    let asked = (Span::Before(before), question.unread_only, most.saturating_add(1));
    let mut nodes = store::read(&conn, &system, ctx.actor.user_id, asked).await?;
    let has_next = nodes.len() > most;
    nodes.truncate(most);
    Ok(Page { nodes, has_next, is_continued: question.after.is_some() })
}

/// How many the caller has, or has not read.
pub(crate) async fn count(ctx: &Ctx, unread_only: bool) -> Result<i64> {
    let conn = ctx.single_read().await?;
    store::count(&conn, &own(ctx), ctx.actor.user_id, unread_only).await
}

/// Marks some read; how many were not. NOT_FOUND, and nothing is marked, when one of them is not the
/// caller's.
pub(super) async fn mark_read(ctx: &Ctx, ids: Vec<Uuid>) -> Result<u64> {
    let ids = few(ids)?;
    let (system, conn) = (own(ctx), ctx.transaction().await?);
    check_known(store::known(&conn, &system, ctx.actor.user_id, &ids).await?, &ids)?;
    let marked = store::mark(&conn, &system, ctx.actor.user_id, (ids, ctx.now())).await?;
    conn.commit().await?;
    Ok(marked)
}

/// Marks all read, up to one that the caller has seen; how many were not.
pub(super) async fn mark_all_read(ctx: &Ctx, up_to: Option<&str>) -> Result<u64> {
    let up_to = up_to.map(read_cursor).transpose().map_err(|error| error.at("upTo"))?;
    let (system, conn) = (own(ctx), ctx.transaction().await?);
    let which = (up_to.unwrap_or(i64::MAX), ctx.now());
    let marked = store::mark_all(&conn, &system, ctx.actor.user_id, which).await?;
    conn.commit().await?;
    Ok(marked)
}

/// Removes some for good; how many there were. NOT_FOUND, and nothing is removed, when one of them is
/// not the caller's.
pub(super) async fn delete(ctx: &Ctx, ids: Vec<Uuid>) -> Result<u64> {
    let ids = few(ids)?;
    let (system, conn) = (own(ctx), ctx.transaction().await?);
    check_known(store::known(&conn, &system, ctx.actor.user_id, &ids).await?, &ids)?;
    let removed = store::remove(&conn, &system, ctx.actor.user_id, ids).await?;
    conn.commit().await?;
    Ok(removed)
}

/// Somebody who is told of news, from a number on.
struct Follower {
    ctx: Ctx,
    watch: Watch,
    /// Everything up to this number was read from the table.
    read_up_to: i64,
    waiting: VecDeque<Notification>,
    over: bool,
}

/// The caller's notifications as they come, those after a cursor first. It ends with UNAUTHENTICATED
/// when the caller's credential does, and without a word when the server stops.
pub(super) async fn follow(
    ctx: &Ctx,
    after: Option<&str>,
) -> Result<impl Stream<Item = Result<Notification>> + Send + use<>> {
    let after = after.map(read_cursor).transpose()?;
    // Before the number is read, so that nothing falls between.
    let watch = Watch::begin(ctx)?;
    let last = {
        let conn = ctx.single_read().await?;
        store::last_number(&conn, &own(ctx), ctx.actor.user_id).await?
    };
    if after.is_some_and(|after| after > last) {
        return Err(no_cursor());
    }
    watch.reached(last);
    let read_up_to = after.unwrap_or(last);
    let waiting = VecDeque::new();
    let follower = Follower { ctx: ctx.clone(), watch, read_up_to, waiting, over: false };
    Ok(unfold(follower, Follower::next))
}

impl Follower {
    async fn next(mut self) -> Option<(Result<Notification>, Self)> {
        loop {
            if self.over || self.ctx.app.is_stopping() {
                return None;
            }
            let tide = self.watch.look();
            if tide.ended {
                self.over = true;
                return Some((Err(ended()), self));
            }
            if let Some(notification) = self.waiting.pop_front() {
                return Some((Ok(notification), self));
            }
            if tide.number > self.read_up_to {
                self.catch_up(tide.number).await;
                continue;
            }
            tokio::select! {
                () = self.ctx.app.stopped() => return None,
                () = self.watch.changed() => {}
            }
        }
    }

    /// Reads on; `known` is a number that is there already.
    async fn catch_up(&mut self, known: i64) {
        match self.read().await {
            Ok(rows) => {
                let last = rows.last().map_or(0, |row| row.number);
                // Fewer than asked for: there is nothing more up to the number that was known.
                let whole = rows.len() < limits::NEWS_ROWS_AT_ONCE;
                self.read_up_to = if whole { last.max(known) } else { last };
                self.waiting.extend(rows);
            }
            Err(error) => {
                tracing::warn!(%error, "a subscription could not read its notifications");
                tokio::select! {
                    () = self.ctx.app.stopped() => {}
                    () = tokio::time::sleep(AGAIN_AFTER_FAILURE) => {}
                }
            }
        }
    }

    async fn read(&self) -> Result<Vec<Notification>> {
        let ctx = &self.ctx;
        let _turn = ctx.app.rate.turns.take(&ctx.app.clock, ctx.tenant_id()).await?;
        let conn = ctx.single_read().await?;
        let asked = (Span::After(self.read_up_to), false, limits::NEWS_ROWS_AT_ONCE);
        store::read(&conn, &own(ctx), ctx.actor.user_id, asked).await
    }
}

/// The cursor of a notification.
pub(super) fn cursor_of(notification: &Notification) -> String {
    notification.number.to_string()
}

fn read_cursor(text: &str) -> Result<i64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain).ok_or_else(no_cursor)
}

fn own(ctx: &Ctx) -> SystemHandle {
    SystemHandle::for_tenant(ctx.tenant_id())
}

fn rows_of(first: Option<i32>) -> Result<usize> {
    let (usual, most) = (limits::PAGE_ROWS_DEFAULT, limits::PAGE_ROWS_MAX);
    let rows = first.map_or(Some(usual), |first| u64::try_from(first).ok());
    let rows = rows.filter(|rows| (1..=most).contains(rows));
    rows.and_then(|rows| usize::try_from(rows).ok()).ok_or_else(|| {
        let message =
            say(format!("first must be 1 to {most}"), format!("first deve ser de 1 a {most}"));
        Error::invalid_field("first", message)
    })
}

fn few(mut ids: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let most = limits::BATCH_ROWS_MAX;
    if ids.len() > most {
        return Err(Error::limit(say(
            format!("at most {most} at once"),
            format!("no máximo {most} de cada vez"),
        )));
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn check_known(known: i64, ids: &[Uuid]) -> Result<()> {
    if usize::try_from(known).ok() == Some(ids.len()) {
        return Ok(());
    }
    Err(Error::not_found("Notification").at("ids"))
}

fn no_cursor() -> Error {
    Error::invalid_field(
        "after",
        say(
            "this is not the cursor of a notification of yours",
            "este não é o cursor de uma notificação sua",
        ),
    )
}

fn ended() -> Error {
    Error::Unauthenticated {
        message: say(
            "the credential of this subscription ended or its rights changed: subscribe again, \
             after the last cursor",
            "a credencial desta assinatura terminou ou seus direitos mudaram: assine de novo, a \
             partir do último cursor",
        ),
    }
}
