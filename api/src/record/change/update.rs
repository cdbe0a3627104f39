//! Changes of rows that are there.

use uuid::Uuid;

use super::effects::Done;
use super::session::Session;
use super::{RowChange, Values, checked, rights, store};
use crate::access::Action;
use crate::db::Value;
use crate::error::{Error, Result};
use crate::record::declare::Record;

impl Session<'_> {
    /// Changes some columns of a row. Nothing is written when nothing changes.
    pub async fn update(
        &mut self,
        record: &'static Record,
        id: Uuid,
        values: Values,
        expected_version: Option<i64>,
    ) -> Result<()> {
        let old = self.lock(record, Action::Update, id, expected_version).await?;
        let change = self.redraft(record, id, old, values)?;
        self.update_drafted(record, change.into_iter().collect()).await
    }

    /// Changes some columns of many rows, with one statement for all that change the same columns.
    pub async fn update_all(
        &mut self,
        record: &'static Record,
        rows: Vec<(Uuid, Values)>,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
        self.lock_ahead(record, Action::Update, &ids).await?;
        let mut changes = Vec::with_capacity(rows.len());
        for (id, values) in rows {
            let old = self.lock(record, Action::Update, id, None).await?;
            changes.extend(self.redraft(record, id, old, values)?);
        }
        self.update_drafted(record, changes).await
    }

    /// What `values` change of a row that is locked and read; `None` when that is nothing.
    pub(super) fn redraft(
        &self,
        record: &'static Record,
        id: Uuid,
        old: Values,
        values: Values,
    ) -> Result<Option<RowChange>> {
        rights::check_fields(self.ctx, Action::Update, record, &values)?;
        let mut normal = Values::new();
        for (column, value) in values {
            let field = record.fields.iter().find(|field| field.column == column);
            let field = field.ok_or_else(|| Error::internal(format!("no column {column}")))?;
            normal.insert(column, checked::normal(field, value)?);
        }
        let mut change = self.change(record, id, old, normal);
        change.keep_changes();
        if change.new.is_empty() {
            return Ok(None);
        }
        checked::check_status(&change)?;
        Ok(Some(change))
    }

    /// A change of a row that is there.
    pub(super) fn change(
        &self,
        record: &'static Record,
        id: Uuid,
        old: Values,
        new: Values,
    ) -> RowChange {
        let given = new.keys().copied().collect();
        RowChange { record, id, old: Some(old), new, given, imported: self.imported }
    }

    /// Writes changes that are drafted, with one statement for all that change the same columns.
    pub(super) async fn update_drafted(
        &mut self,
        record: &'static Record,
        mut changes: Vec<RowChange>,
    ) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let writer = self.writer(Action::Update, record)?;
        self.prepare(record, &mut changes).await?;
        for change in &mut changes {
            // A rule may have set what was so already.
            change.keep_changes();
            self.stamp(change);
        }
        store::update(self.conn, record, &writer, &changes).await?;
        self.written(record, &mut changes, Done::Updated).await
    }

    /// Writes columns that follow from other rows, whoever caused it: no permission is asked, and
    /// the version stays, because nobody's own words could be overwritten. `old` needs only these
    /// columns of the rows, which are locked.
    pub async fn derive(
        &mut self,
        record: &'static Record,
        rows: Vec<(Uuid, Values, Values)>,
    ) -> Result<()> {
        let permit = self.cause()?;
        let now = self.ctx.now();
        let mut changes = Vec::with_capacity(rows.len());
        for (id, old, new) in rows {
            let mut change = self.change(record, id, old, new);
            change.keep_changes();
            if !change.new.is_empty() {
                change.new.insert("updated_at", Value::Instant(now));
                changes.push(change);
            }
        }
        store::update(self.conn, record, &permit, &changes).await?;
        changes.iter().try_for_each(|change| self.effects.note(self.ctx, change, Done::Updated))?;
        self.follow(record, &changes).await
    }

    /// The version and the time of a change.
    pub(super) fn stamp(&self, change: &mut RowChange) {
        let version = match change.old.as_ref().and_then(|old| old.get("version")) {
            Some(Value::Int(version)) => version + 1,
            _ => 1,
        };
        if change.record.find_field("version").is_some() {
            change.new.insert("version", Value::Int(version));
        }
        let dated = self.imported && change.new.contains_key("updated_at");
        if !dated {
            change.new.insert("updated_at", Value::Instant(self.ctx.now()));
        }
    }
}
