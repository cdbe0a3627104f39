//! Changes of one transaction.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::effects::{Done, Effects};
use super::{RowChange, Values, checked, image, references, rights, store};
use crate::access::{Action, FieldRule, Resource, Writer};
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Result, say};
use crate::events::Lane;
use crate::notice::Notice;
use crate::record::declare::{Default, Field, Record};

/// Columns that the engine keeps; nobody sets them.
pub const KEPT: [&str; 6] =
    ["id", "created_at", "updated_at", "deleted_at", "version", "created_by"];
/// Those of them that an import may bring along: what it tells of happened elsewhere, earlier.
const DATED: [&str; 3] = ["created_at", "updated_at", "created_by"];

/// What changes in one transaction, and the trail it leaves.
pub struct Session<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) conn: &'a Conn,
    pub(super) effects: Effects,
    pub(super) imported: bool,
    /// Rows that were found, or made, in this transaction: they may be referred to.
    pub(super) known: HashSet<(Resource, Uuid)>,
    /// Rows that a batch has locked ahead, until their turn comes.
    pub(super) locked: HashMap<(Action, Uuid), store::Found>,
    lane: Lane,
    pub(super) permit: Option<Writer>,
}

impl<'a> Session<'a> {
    /// Changes asked for by a caller.
    pub fn new(ctx: &'a Ctx, conn: &'a Conn) -> Self {
        Self {
            ctx,
            conn,
            effects: Effects::default(),
            imported: false,
            known: HashSet::new(),
            locked: HashMap::new(),
            lane: Lane::Normal,
            permit: None,
        }
    }

    /// Changes of an import: any state may be set, references were looked up by the import itself.
    pub fn import(ctx: &'a Ctx, conn: &'a Conn) -> Self {
        Self { imported: true, lane: Lane::Backfill, ..Self::new(ctx, conn) }
    }

    /// A session of the same kind in the same transaction, to be taken over by
    /// [`Session::absorb`] or dropped with what it wrote.
    pub(super) fn fork(&self) -> Self {
        let fresh = Self::new(self.ctx, self.conn);
        Self { imported: self.imported, lane: self.lane, ..fresh }
    }

    pub fn ctx(&self) -> &'a Ctx {
        self.ctx
    }

    pub fn conn(&self) -> &'a Conn {
        self.conn
    }

    /// An event of a record beside those that every change leaves (`deal.won`).
    pub fn tell(&mut self, record: &Record, id: Uuid, past: &str, payload: serde_json::Value) {
        self.tell_at(self.ctx.now(), (record, id), past, payload);
    }

    /// Somebody is told of the change once it is committed.
    pub fn notify(&mut self, notice: Notice) {
        self.effects.notify(notice);
    }

    /// As [`Session::tell`], of something that happened earlier.
    pub fn tell_at(
        &mut self,
        at: DateTime<Utc>,
        (record, id): (&Record, Uuid),
        past: &str,
        payload: serde_json::Value,
    ) {
        self.effects.tell(self.ctx, at, (record, id), (past, payload));
    }

    /// Raises an epoch beside those of the rows that change, at the end of the transaction.
    pub fn raise(&mut self, epoch: String) {
        self.effects.raise(epoch);
    }

    pub(super) fn writer(&mut self, action: Action, record: &Record) -> Result<Writer> {
        let writer = self.ctx.writer(action, record.resource)?;
        if self.permit.is_none() {
            self.permit = Some(writer.clone());
        }
        Ok(writer)
    }

    /// Creates a row; returns its id.
    pub async fn create(&mut self, record: &'static Record, values: Values) -> Result<Uuid> {
        self.writer(Action::Create, record)?;
        let change = self.draft(record, values)?;
        let id = change.id;
        self.create_drafted(record, vec![change]).await?;
        Ok(id)
    }

    /// Creates rows with one insert for all of them; returns their ids.
    pub async fn create_all(
        &mut self,
        record: &'static Record,
        rows: Vec<Values>,
    ) -> Result<Vec<Uuid>> {
        self.writer(Action::Create, record)?;
        let drafts = rows.into_iter().map(|values| self.draft(record, values));
        let changes = drafts.collect::<Result<Vec<_>>>()?;
        let ids = changes.iter().map(|change| change.id).collect();
        self.create_drafted(record, changes).await?;
        Ok(ids)
    }

    /// Creates rows that are drafted, with one insert for all of them.
    pub(super) async fn create_drafted(
        &mut self,
        record: &'static Record,
        mut changes: Vec<RowChange>,
    ) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let writer = self.writer(Action::Create, record)?;
        self.prepare(record, &mut changes).await?;
        if !self.imported {
            references::check_reach(self.conn, record, &writer, &changes).await?;
        }
        store::insert(self.conn, record, &writer, &changes).await?;
        self.written(record, &mut changes, Done::Created).await
    }

    /// Creates rows that follow from others, whoever caused it: no permission is asked, because
    /// nobody chose their values.
    pub async fn create_derived(
        &mut self,
        record: &'static Record,
        rows: Vec<Values>,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let permit = self.cause()?;
        let drafts = rows.into_iter().map(|values| self.draft_unasked(record, values));
        let mut changes = drafts.collect::<Result<Vec<_>>>()?;
        if let Some(rule) = record.changes.before {
            rule(self.ctx, self.conn, &mut changes).await?;
        }
        changes.iter().try_for_each(checked::check_money)?;
        store::insert(self.conn, record, &permit, &changes).await?;
        self.written(record, &mut changes, Done::Created).await
    }

    /// The permit of what a consequence follows from.
    pub fn cause(&self) -> Result<Writer> {
        self.permit.clone().ok_or_else(|| Error::internal("a consequence without its cause"))
    }

    /// Whether a column's value comes from outside: an import may say when and by whom.
    fn may_give(&self, column: &str) -> bool {
        !KEPT.contains(&column) || (self.imported && DATED.contains(&column))
    }

    /// Whether a rule may find the value of a field that an import leaves out.
    fn may_infer(&self, record: &Record, field: &Field) -> bool {
        let needed = matches!(field.default, Default::None);
        self.imported && needed && record.changes.infers(field.column).is_some()
    }

    /// A new row with its defaults and stamps, every column set.
    pub(super) fn draft(&self, record: &'static Record, values: Values) -> Result<RowChange> {
        rights::check_fields(self.ctx, Action::Create, record, &values)?;
        self.draft_unasked(record, values)
    }

    fn draft_unasked(&self, record: &'static Record, mut values: Values) -> Result<RowChange> {
        let id = match values.get("created_at") {
            Some(Value::Instant(at)) if self.imported => self.ctx.app.clock.id_at(*at),
            _ => self.ctx.app.clock.new_id(),
        };
        let now = self.ctx.now();
        let given = values.keys().copied().collect();
        let mut new = Values::new();
        for field in &record.fields {
            let value = match values.remove(field.column) {
                Some(value) if self.may_give(field.column) => checked::normal(field, value)?,
                _ => match field.column {
                    "id" => Value::Id(id),
                    "created_at" | "updated_at" => Value::Instant(now),
                    "deleted_at" => Value::Null(NullOf::Instant),
                    "version" => Value::Int(1),
                    "created_by" => Value::Id(self.ctx.actor.user_id),
                    // To be filled by a rule; `prepare` sees to it.
                    _ if self.may_infer(record, field) => Value::Null(field.kind.bind()),
                    _ => checked::default_of(self.ctx, field)?,
                },
            };
            new.insert(field.column, value);
        }
        Ok(RowChange { record, id, old: None, new, given, imported: self.imported })
    }

    /// What follows from rows that were written.
    pub(super) async fn follow(
        &mut self,
        record: &'static Record,
        changes: &[RowChange],
    ) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if let Some(follow) = record.changes.follows {
            follow(self, changes).await?;
        }
        let app = &self.ctx.app;
        for react in app.reactors.to(record.resource) {
            react(self, changes).await?;
        }
        Ok(())
    }

    /// Locks a living row that the caller may see and may change.
    pub async fn lock(
        &mut self,
        record: &'static Record,
        action: Action,
        id: Uuid,
        expected_version: Option<i64>,
    ) -> Result<Values> {
        let writer = self.writer(action, record)?;
        let old = self.find(record, &writer, id).await?;
        if old.get("deleted_at").is_some_and(|deleted_at| !deleted_at.is_null()) {
            return Err(Error::not_found(record.name));
        }
        if let (Some(expected), Some(Value::Int(version))) = (expected_version, old.get("version"))
            && expected != *version
        {
            let reader = self.ctx.reader(record.resource)?;
            let message = match reader.field("version") {
                FieldRule::Plain => say(
                    format!("the record was changed meanwhile: it has version {version}"),
                    format!("o registro foi alterado nesse meio-tempo: está na versão {version}"),
                ),
                FieldRule::Masked | FieldRule::Hidden => say(
                    "the record was changed meanwhile",
                    "o registro foi alterado nesse meio-tempo",
                ),
            };
            return Err(Error::Conflict {
                message,
                field: Some("expectedVersion".into()),
                current: Some(Box::new(image::for_caller(record, &reader, &old)?)),
            });
        }
        Ok(old)
    }

    /// Locks rows of a batch together, in the order of their ids.
    pub(super) async fn lock_ahead(
        &mut self,
        record: &'static Record,
        action: Action,
        ids: &[Uuid],
    ) -> Result<()> {
        let writer = self.writer(action, record)?;
        let reader = self.ctx.reader(record.resource)?;
        let found = store::lock(self.conn, record, &reader, writer.rows(), ids).await?;
        self.locked.extend(found.into_iter().map(|(id, found)| ((action, id), found)));
        Ok(())
    }

    /// Locks a row, deleted or not.
    pub(super) async fn find(
        &mut self,
        record: &'static Record,
        writer: &Writer,
        id: Uuid,
    ) -> Result<Values> {
        let found = match self.locked.remove(&(writer.action(), id)) {
            Some(found) => Some(found),
            None => {
                let reader = self.ctx.reader(record.resource)?;
                store::lock(self.conn, record, &reader, writer.rows(), &[id]).await?.remove(&id)
            }
        };
        let found = found.ok_or_else(|| Error::not_found(record.name))?;
        if found.allowed {
            return Ok(found.values);
        }
        let action = writer.action().as_str();
        Err(Error::forbidden(say(
            format!("your role may not {action} this {}", record.name),
            format!("seu papel não permite {action} neste {}", record.name),
        )))
    }

    /// What rows pass before they are written.
    pub(super) async fn prepare(
        &mut self,
        record: &'static Record,
        changes: &mut [RowChange],
    ) -> Result<()> {
        if let Some(rule) = record.changes.before {
            rule(self.ctx, self.conn, changes).await?;
        }
        changes.iter().try_for_each(checked::check_money)?;
        if self.imported {
            return changes.iter().try_for_each(checked::check_inferred);
        }
        self.check_references(record, changes).await
    }

    pub(super) async fn written(
        &mut self,
        record: &'static Record,
        changes: &mut [RowChange],
        done: Done,
    ) -> Result<()> {
        if let Some(rule) = record.changes.after {
            rule(self.ctx, self.conn, changes).await?;
        }
        for change in changes.iter() {
            self.known.insert((record.resource, change.id));
            self.effects.note(self.ctx, change, done)?;
        }
        self.follow(record, changes).await
    }

    /// Takes over what another session of the same transaction changed.
    pub(super) fn absorb(&mut self, other: Self) {
        self.effects.absorb(other.effects);
        self.known.extend(other.known);
        if self.permit.is_none() {
            self.permit = other.permit;
        }
    }

    /// Writes the trail of everything that changed.
    pub async fn finish(self) -> Result<()> {
        match &self.permit {
            Some(permit) => self.effects.write(self.ctx, self.conn, permit, self.lane).await,
            None => Ok(()),
        }
    }
}
