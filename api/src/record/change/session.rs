//! Changes of one transaction.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::effects::{Done, Effects};
use super::{RowChange, Values, checked, image, store};
use crate::access::{Action, Reader, RowRule, Writer};
use crate::ctx::Ctx;
use crate::db::{Conn, NullOf, Value};
use crate::error::{Error, Result, say};
use crate::events::Lane;
use crate::record::declare::{OwnerPath, Record, RelationKind};

/// Columns that the engine keeps; nobody sets them.
const KEPT: [&str; 6] = ["id", "created_at", "updated_at", "deleted_at", "version", "created_by"];

/// What changes in one transaction, and the trail it leaves.
pub struct Session<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) conn: &'a Conn,
    pub(super) effects: Effects,
    pub(super) imported: bool,
    lane: Lane,
    permit: Option<Writer>,
}

impl<'a> Session<'a> {
    /// Changes asked for by a caller.
    pub fn new(ctx: &'a Ctx, conn: &'a Conn) -> Self {
        Self {
            ctx,
            conn,
            effects: Effects::default(),
            imported: false,
            lane: Lane::Normal,
            permit: None,
        }
    }

    /// Changes of an import: any state may be set, references were looked up by the import itself.
    pub fn import(ctx: &'a Ctx, conn: &'a Conn) -> Self {
        Self { imported: true, lane: Lane::Backfill, ..Self::new(ctx, conn) }
    }

    pub fn ctx(&self) -> &'a Ctx {
        self.ctx
    }

    pub fn conn(&self) -> &'a Conn {
        self.conn
    }

    /// An event of a record beside those that every change leaves (`deal.won`).
    pub fn tell(&mut self, record: &Record, id: Uuid, past: &str, payload: serde_json::Value) {
        self.effects.tell(self.ctx, record, id, (past, payload));
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
        let writer = self.writer(Action::Create, record)?;
        let mut change = self.draft(record, values)?;
        self.prepare(&mut change).await?;
        self.check_reach(&change, &writer).await?;
        let columns = checked::with_derived(&change);
        store::insert(self.conn, record, &writer, vec![columns])
            .await
            .map_err(|error| name_conflict(record, error))?;
        self.written(&mut change, Done::Created).await?;
        Ok(change.id)
    }

    /// A new row with its defaults and stamps, every column set.
    pub(super) fn draft(&self, record: &'static Record, mut values: Values) -> Result<RowChange> {
        let id = self.ctx.app.clock.new_id();
        let now = self.ctx.now();
        let mut new = Values::new();
        for field in &record.fields {
            let value = match values.remove(field.column) {
                Some(value) if !KEPT.contains(&field.column) => checked::normal(field, value)?,
                _ => match field.column {
                    "id" => Value::Id(id),
                    "created_at" | "updated_at" => Value::Instant(now),
                    "deleted_at" => Value::Null(NullOf::Instant),
                    "version" => Value::Int(1),
                    "created_by" => Value::Id(self.ctx.actor.user_id),
                    _ => checked::default_of(self.ctx, field)?,
                },
            };
            new.insert(field.column, value);
        }
        Ok(RowChange { record, id, old: None, new, imported: self.imported })
    }

    /// Changes some columns of a row. Nothing is written when nothing changes.
    pub async fn update(
        &mut self,
        record: &'static Record,
        id: Uuid,
        values: Values,
        expected_version: Option<i64>,
    ) -> Result<()> {
        let old = self.lock(record, Action::Update, id, expected_version).await?;
        self.update_row(record, id, old, values).await?;
        Ok(())
    }

    /// As [`Session::update`], for a row that is locked and read; tells whether anything changed.
    pub(super) async fn update_row(
        &mut self,
        record: &'static Record,
        id: Uuid,
        old: Values,
        values: Values,
    ) -> Result<bool> {
        let writer = self.writer(Action::Update, record)?;
        let mut normal = Values::new();
        for (column, value) in values {
            let field = record.fields.iter().find(|field| field.column == column);
            let field = field.ok_or_else(|| Error::internal(format!("no column {column}")))?;
            normal.insert(column, checked::normal(field, value)?);
        }
        let new = checked::keep_changes(&old, normal);
        if new.is_empty() {
            return Ok(false);
        }
        let mut change =
            RowChange { record, id, old: Some(old), new, imported: self.imported };
        checked::check_status(&change)?;
        self.prepare(&mut change).await?;
        self.stamp(&mut change);
        store::update(self.conn, record, &writer, id, &checked::with_derived(&change))
            .await
            .map_err(|error| name_conflict(record, error))?;
        self.written(&mut change, Done::Updated).await?;
        Ok(true)
    }

    /// Marks a row deleted: its unique keys become free, lists no longer show it.
    pub async fn delete(
        &mut self,
        record: &'static Record,
        id: Uuid,
        expected_version: Option<i64>,
    ) -> Result<()> {
        let old = self.lock(record, Action::Delete, id, expected_version).await?;
        let now = Value::Instant(self.ctx.now());
        self.mark(record, id, old, (now, Done::Deleted)).await
    }

    /// Takes a deletion back. CONFLICT when a unique key was taken meanwhile.
    pub async fn restore(&mut self, record: &'static Record, id: Uuid) -> Result<()> {
        let writer = self.writer(Action::Delete, record)?;
        let old = self.find(record, &writer, id).await?;
        if old.get("deleted_at").is_none_or(Value::is_null) {
            return Err(Error::conflict(say(
                format!("this {} is not deleted", record.name),
                format!("este {} não está excluído", record.name),
            )));
        }
        self.mark(record, id, old, (Value::Null(NullOf::Instant), Done::Restored)).await
    }

    async fn mark(
        &mut self,
        record: &'static Record,
        id: Uuid,
        old: Values,
        (deleted_at, done): (Value, Done),
    ) -> Result<()> {
        let writer = self.writer(Action::Delete, record)?;
        let new = BTreeMap::from([("deleted_at", deleted_at)]);
        let mut change = RowChange { record, id, old: Some(old), new, imported: self.imported };
        self.stamp(&mut change);
        store::update(self.conn, record, &writer, id, &checked::with_derived(&change))
            .await
            .map_err(|error| name_conflict(record, error))?;
        self.effects.note(self.ctx, &change, done)
    }

    fn stamp(&self, change: &mut RowChange) {
        let version = match change.old.as_ref().and_then(|old| old.get("version")) {
            Some(Value::Int(version)) => version + 1,
            _ => 1,
        };
        if change.record.find_field("version").is_some() {
            change.new.insert("version", Value::Int(version));
        }
        change.new.insert("updated_at", Value::Instant(self.ctx.now()));
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
            return Err(Error::Conflict {
                message: say(
                    format!("the record was changed meanwhile: it has version {version}"),
                    format!("o registro foi alterado nesse meio-tempo: está na versão {version}"),
                ),
                field: Some("expectedVersion".into()),
                current: Some(Box::new(image::for_caller(record, &reader, &old)?)),
            });
        }
        Ok(old)
    }

    /// Locks a row, deleted or not.
    pub(super) async fn find(
        &mut self,
        record: &'static Record,
        writer: &Writer,
        id: Uuid,
    ) -> Result<Values> {
        let reader = self.ctx.reader(record.resource)?;
        let mut found = store::lock(self.conn, record, &reader, writer.rows(), &[id]).await?;
        let found = found.remove(&id).ok_or_else(|| Error::not_found(record.name))?;
        if found.allowed {
            return Ok(found.values);
        }
        let action = writer.action().as_str();
        Err(Error::forbidden(say(
            format!("your role may not {action} this {}", record.name),
            format!("seu papel não permite {action} neste {}", record.name),
        )))
    }

    /// What every row passes before it is written.
    async fn prepare(&mut self, change: &mut RowChange) -> Result<()> {
        if let Some(rule) = change.record.changes.before {
            rule(self.ctx, self.conn, change).await?;
        }
        checked::check_money(change)?;
        if self.imported {
            return Ok(());
        }
        self.check_references(change).await
    }

    pub(super) async fn written(&mut self, change: &mut RowChange, done: Done) -> Result<()> {
        if let Some(rule) = change.record.changes.after {
            rule(self.ctx, self.conn, change).await?;
        }
        self.effects.note(self.ctx, change, done)
    }

    /// Rows referred to must be there, alive, and within the caller's sight.
    async fn check_references(&self, change: &RowChange) -> Result<()> {
        for relation in &change.record.relations {
            let RelationKind::One { column, .. } = relation.kind else { continue };
            let Some(Value::Id(id)) = change.new.get(column) else { continue };
            let target = (relation.target)();
            if !change.changes(column) || *id == self.ctx.actor.user_id {
                continue;
            }
            let reader: Reader = self.ctx.reader(target.resource)?;
            let rule = (&reader, reader.rows());
            if store::visible(self.conn, target, rule, vec![*id]).await?.is_empty() {
                return Err(Error::NotFound {
                    message: say(
                        format!("{}: {} not found", relation.name, target.name),
                        format!("{}: {} não encontrado", relation.name, target.name),
                    ),
                });
            }
        }
        Ok(())
    }

    /// A new row must be among those that its creator may create.
    async fn check_reach(&self, change: &RowChange, writer: &Writer) -> Result<()> {
        let RowRule::Owners(owners) = writer.rows() else { return Ok(()) };
        let within = match change.record.owner {
            OwnerPath::Everybody => true,
            OwnerPath::Column(column) => match change.new.get(column) {
                Some(Value::Id(owner)) => owners.contains(owner),
                _ => false,
            },
            OwnerPath::Through(name) => {
                let relation = change.record.find_relation(name);
                let column = relation.and_then(|relation| match relation.kind {
                    RelationKind::One { column, .. } => Some((relation, column)),
                    RelationKind::Many { .. } => None,
                });
                match column.and_then(|(relation, column)| {
                    change.new.get(column).map(|value| (relation, value))
                }) {
                    Some((relation, Value::Id(id))) => {
                        let target = (relation.target)();
                        let rule = (writer, writer.rows());
                        !store::visible(self.conn, target, rule, vec![*id]).await?.is_empty()
                    }
                    _ => false,
                }
            }
        };
        if within {
            return Ok(());
        }
        Err(Error::forbidden(say(
            "your role may only create records of your own",
            "seu papel só permite criar registros seus",
        )))
    }

    /// Takes over what another session of the same transaction changed.
    pub(super) fn absorb(&mut self, other: Self) {
        self.effects.absorb(other.effects);
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

/// Which field a violated constraint is about.
pub(super) fn name_conflict(record: &Record, error: Error) -> Error {
    let (Error::Conflict { field: Some(constraint), .. }
    | Error::Invalid { field: Some(constraint), .. }) = &error
    else {
        return error;
    };
    // PostgreSQL names the constraint (uq_companies_cnpj), SQLite its columns (companies.cnpj).
    let named = record
        .fields
        .iter()
        .filter(|field| {
            let column = field.column;
            constraint.ends_with(&format!("_{column}"))
                || constraint.ends_with(&format!(".{column}"))
                || constraint.contains(&format!("_{column}_"))
        })
        .max_by_key(|field| field.column.len());
    let name = named.map(|field| field.name.clone());
    match error {
        Error::Conflict { message, current, .. } => {
            Error::Conflict { message, field: name.map(Into::into), current }
        }
        Error::Invalid { message, .. } => Error::Invalid { message, field: name.map(Into::into) },
        other => other,
    }
}
