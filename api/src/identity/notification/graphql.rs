//! `notifications`, `notificationMarkRead`, `notificationMarkAllRead`, `notificationDelete` and the
//! subscription `notificationAdded`.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use uuid::Uuid;

use super::service::{self, Notification, Page, Question};
use crate::ctx::Ctx;
use crate::error::Language;
use crate::identity::graphql::{in_language, read_id, somebody};
use crate::notice::{Kind, Level};

#[derive(Default)]
pub struct NotificationQuery;

#[derive(Default)]
pub struct NotificationMutation;

#[derive(Default)]
pub struct NotificationSubscription;

#[Object]
impl NotificationQuery {
    /// What the caller was told, newest first. Everybody sees their own, whatever their role.
    async fn notifications(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Rows of the page, 50 when absent, 1,000 at most.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the page before ended with.")] after: Option<String>,
        #[graphql(desc = "Only what was not read yet.", default)] unread_only: bool,
    ) -> Result<List> {
        let ctx = somebody(context)?;
        let question = Question { first, after: after.as_deref(), unread_only };
        let page = service::page(ctx, question).await.map_err(in_language(&ctx.origin))?;
        Ok(List::of(ctx, page, unread_only))
    }
}

#[Object]
impl NotificationMutation {
    /// Marks notifications read; answers how many were not.
    async fn notification_mark_read(&self, context: &Context<'_>, ids: Vec<ID>) -> Result<i32> {
        let ctx = somebody(context)?;
        let ids = read_ids(&ids).map_err(in_language(&ctx.origin))?;
        let marked = service::mark_read(ctx, ids).await.map_err(in_language(&ctx.origin))?;
        Ok(number(marked))
    }

    /// Marks all notifications read; answers how many were not.
    async fn notification_mark_all_read(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The cursor of the newest that was seen; later ones stay unread.")]
        up_to: Option<String>,
    ) -> Result<i32> {
        let ctx = somebody(context)?;
        let marked = service::mark_all_read(ctx, up_to.as_deref()).await;
        Ok(number(marked.map_err(in_language(&ctx.origin))?))
    }

    /// Removes notifications for good; answers how many there were.
    async fn notification_delete(&self, context: &Context<'_>, ids: Vec<ID>) -> Result<i32> {
        let ctx = somebody(context)?;
        let ids = read_ids(&ids).map_err(in_language(&ctx.origin))?;
        let removed = service::delete(ctx, ids).await.map_err(in_language(&ctx.origin))?;
        Ok(number(removed))
    }
}

#[Subscription]
impl NotificationSubscription {
    /// The caller's notifications as they come, each once and in order. It ends when the caller's
    /// session or key does, or when their roles change.
    async fn notification_added(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "The cursor of the last one that was received: what came after it is sent \
                          first. When absent, only what comes from now on."
        )]
        after: Option<String>,
    ) -> Result<BoxStream<'static, Result<Told>>> {
        let ctx = somebody(context)?;
        let spoken = in_language(&ctx.origin);
        let news = service::follow(ctx, after.as_deref()).await.map_err(&spoken)?;
        let language = ctx.origin.language;
        Ok(news.map(move |one| one.map(|one| Told::of(one, language)).map_err(&spoken)).boxed())
    }
}

/// Something that its receiver was told.
#[derive(SimpleObject)]
#[graphql(name = "Notification")]
struct Told {
    id: ID,
    /// For `after` of the list and of the subscription, and for `upTo`.
    cursor: String,
    kind: NotificationKind,
    level: NotificationLevel,
    /// In the language of the request.
    title: String,
    /// In the language of the request.
    body: String,
    /// How many things it tells of; with more than one there is no `recordId`.
    count: i32,
    /// What it is about, as permissions name it: deals.
    resource: Option<String>,
    /// The record that it is about. Whether it may be read is asked when it is.
    record_id: Option<ID>,
    /// The user who caused it; null where nobody knows who it was.
    actor_id: Option<ID>,
    read_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl Told {
    fn of(one: Notification, language: Language) -> Self {
        Self {
            id: one.id.to_string().into(),
            cursor: service::cursor_of(&one),
            kind: one.kind.into(),
            level: one.kind.level().into(),
            title: one.kind.title(one.count).in_language(language).to_owned(),
            body: one.kind.body().in_language(language).to_owned(),
            count: i32::try_from(one.count).unwrap_or(i32::MAX),
            resource: one.resource,
            record_id: one.record_id.map(|id| id.to_string().into()),
            actor_id: one.actor_id.map(|id| id.to_string().into()),
            read_at: one.read_at,
            created_at: one.created_at,
        }
    }
}

/// What happened.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Kind")]
enum NotificationKind {
    /// Somebody gave the receiver a lead.
    LeadAssigned,
    /// Somebody gave the receiver a deal.
    DealAssigned,
    /// A deal of the receiver, or of somebody whom they manage, was won by somebody else.
    DealWon,
    /// A deal of the receiver, or of somebody whom they manage, was lost by somebody else.
    DealLost,
    /// Somebody whom the receiver invited opened their account.
    InvitationAccepted,
    /// The receiver's password was changed or set anew.
    PasswordChanged,
    /// A used refresh token came again, and the receiver's session was ended.
    SessionReused,
    /// Somebody gave a new secret to an API key that the receiver made.
    ApiKeyRotated,
    /// Somebody revoked an API key that the receiver made.
    ApiKeyRevoked,
    /// An API key that the receiver made or may renew ends by itself within two weeks.
    ApiKeyExpires,
    /// An API key that the receiver made or may renew ends by itself within a day.
    ApiKeyLastDay,
}

/// How a notification is to be shown.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Level")]
enum NotificationLevel {
    Info,
    Success,
    Warning,
    /// The receiver should do something.
    ActionRequired,
}

/// A part of the caller's notifications.
struct List {
    ctx: Ctx,
    page: Page,
    unread_only: bool,
}

impl List {
    fn of(ctx: &Ctx, page: Page, unread_only: bool) -> Self {
        Self { ctx: ctx.clone(), page, unread_only }
    }

    fn told(&self) -> impl Iterator<Item = Told> {
        let language = self.ctx.origin.language;
        self.page.nodes.iter().cloned().map(move |one| Told::of(one, language))
    }
}

#[Object(name = "NotificationConnection")]
impl List {
    async fn nodes(&self) -> Vec<Told> {
        self.told().collect()
    }

    async fn edges(&self) -> Vec<NotificationEdge> {
        self.told().map(|node| NotificationEdge { cursor: node.cursor.clone(), node }).collect()
    }

    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.page.has_next,
            has_previous_page: self.page.is_continued,
            start_cursor: self.page.nodes.first().map(service::cursor_of),
            end_cursor: self.page.nodes.last().map(service::cursor_of),
        }
    }

    /// All that there are, of this page and others.
    async fn total_count(&self) -> Result<i32> {
        let count = service::count(&self.ctx, self.unread_only).await;
        Ok(i32::try_from(count.map_err(in_language(&self.ctx.origin))?).unwrap_or(i32::MAX))
    }
}

#[derive(SimpleObject)]
struct NotificationEdge {
    cursor: String,
    node: Told,
}

/// The engine's type of this name: it describes it, this answers.
#[derive(SimpleObject)]
struct PageInfo {
    has_next_page: bool,
    has_previous_page: bool,
    start_cursor: Option<String>,
    end_cursor: Option<String>,
}

fn read_ids(ids: &[ID]) -> crate::error::Result<Vec<Uuid>> {
    ids.iter().map(|id| read_id(id, "ids")).collect()
}

fn number(rows: u64) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}
