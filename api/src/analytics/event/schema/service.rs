//! Uploading a version of a type, and taking one away.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::parse::{self, Usable};
use super::store::{self, EPOCH, Stored};
use super::{Problem, compatibility, documentation, secret};
use crate::access::{Action, Resource, Writer};
use crate::analytics::event::decide;
use crate::audit::{self, Entry};
use crate::cache;
use crate::ctx::Ctx;
use crate::db::Conn;
use crate::error::{Error, Message, Result, say};
use crate::limits;

/// A version of a type as it is to be.
pub(super) struct Upload {
    pub(super) module: String,
    pub(super) event_type: String,
    pub(super) version: i64,
    pub(super) schema: Json,
}

/// A version of a type as it is.
pub(super) struct Uploaded {
    pub(super) schema: Stored,
    /// It was not there before.
    pub(super) is_new: bool,
    pub(super) documentation: String,
}

/// Adds a version of a type. The same again does nothing.
///
/// # Errors
///
/// `FORBIDDEN` without the right to update all events, `INVALID` for a schema that cannot be used, that
/// refuses what the version before it takes, or whose number is not higher than those that are there,
/// `CONFLICT` where this version says something else, `LIMIT_EXCEEDED` for a schema that is too long or
/// one too many, `UNSUPPORTED` for hashes where the installation has no master key.
pub(super) async fn put(ctx: &Ctx, upload: Upload) -> Result<Uploaded> {
    let writer = ctx.whole_writer(Action::Update, Resource::Events)?;
    check_names(&upload)?;
    let usable = usable(&upload.schema)?;
    let conn = ctx.transaction().await?;
    // First of all: whoever uploads at the same time waits, and compares with this.
    raise(ctx, &conn, &writer).await?;
    let of = (upload.module.as_str(), upload.event_type.as_str());
    let versions = store::versions(&conn, &writer, of).await?;
    let same = versions.iter().find(|row| row.version == upload.version);
    if let Some(same) = same {
        return there_already(same.clone(), &upload, &usable);
    }
    if let Some(latest) = versions.last() {
        check_follows(&upload, &usable, latest)?;
    }
    check_count(store::count(&conn, &writer).await?)?;
    if usable.marks.hashes() {
        secret::ensure(&ctx.app, &conn, &writer).await?;
    }
    let (id, now) = (ctx.app.clock.new_id(), ctx.now());
    let Upload { module, event_type, version, schema } = upload;
    let stored = Stored { id, module, event_type, version, schema };
    store::insert(&conn, &writer, &stored, (Some(ctx.actor.user_id), now)).await?;
    let entry = entry("event_schema.create", &stored, (None, Some(image(&stored))));
    audit::append(ctx, &conn, &writer, vec![entry]).await?;
    conn.commit().await?;
    Ok(uploaded(stored, &usable, true))
}

/// Takes a version away: its events are then of an unknown version.
///
/// # Errors
///
/// `FORBIDDEN` without the right to delete all events, `NOT_FOUND`.
pub(super) async fn delete(ctx: &Ctx, id: Uuid) -> Result<Stored> {
    let writer = ctx.whole_writer(Action::Delete, Resource::Events)?;
    let conn = ctx.transaction().await?;
    raise(ctx, &conn, &writer).await?;
    let stored = store::by_id(&conn, &writer, id).await?;
    let stored = stored.ok_or_else(|| Error::not_found("EventSchema").at("id"))?;
    store::remove(&conn, &writer, id).await?;
    let entry = entry("event_schema.delete", &stored, (Some(image(&stored)), None));
    audit::append(ctx, &conn, &writer, vec![entry]).await?;
    conn.commit().await?;
    Ok(stored)
}

async fn raise(ctx: &Ctx, conn: &Conn, writer: &Writer) -> Result<()> {
    let epochs = BTreeSet::from([EPOCH.to_owned()]);
    cache::raise(conn, writer, &epochs, ctx.now()).await
}

fn check_names(upload: &Upload) -> Result<()> {
    if !decide::is_module(&upload.module) {
        let message = say(
            "must be 1 to 50 lower-case letters, digits and _",
            "deve ter de 1 a 50 letras minúsculas, dígitos e _",
        );
        return Err(Error::invalid_field("module", message));
    }
    if !decide::is_event_type(&upload.event_type) {
        let message = say(
            "must be 1 to 100 letters, digits and ._-:",
            "deve ter de 1 a 100 letras, dígitos e ._-:",
        );
        return Err(Error::invalid_field("eventType", message));
    }
    if !decide::VERSIONS.contains(&upload.version) {
        let message = say("must be from 1 to 9999", "deve ser de 1 a 9999");
        return Err(Error::invalid_field("schemaVersion", message));
    }
    Ok(())
}

fn usable(schema: &Json) -> Result<Usable> {
    let max = limits::EVENT_SCHEMA_BYTES_MAX;
    if schema.to_string().len() > max {
        return Err(Error::limit(say(
            format!("a schema has at most {max} bytes"),
            format!("um esquema tem no máximo {max} bytes"),
        ))
        .at("schema"));
    }
    parse::read(schema)
        .map_err(|problem| Error::invalid_field("schema", listed("", "", &[problem])))
}

/// Problems by place, in one message.
fn listed(en: &str, pt: &str, problems: &[Problem]) -> Message {
    let most = limits::EVENT_SCHEMA_PROBLEMS_SHOWN;
    let place = |problem: &Problem| match problem.at.as_str() {
        "" => "/".to_owned(),
        at => at.to_owned(),
    };
    let shown = || problems.iter().take(most);
    let mut in_en: Vec<String> =
        shown().map(|problem| format!("{} {}", place(problem), problem.en)).collect();
    let mut in_pt: Vec<String> =
        shown().map(|problem| format!("{} {}", place(problem), problem.pt)).collect();
    let more = problems.len().saturating_sub(most);
    if more > 0 {
        in_en.push(format!("and {more} more"));
        in_pt.push(format!("e mais {more}"));
    }
    say(format!("{en}{}", in_en.join("; ")), format!("{pt}{}", in_pt.join("; ")))
}

fn there_already(stored: Stored, upload: &Upload, usable: &Usable) -> Result<Uploaded> {
    if compatibility::same(&stored.schema, &upload.schema) {
        return Ok(uploaded(stored, usable, false));
    }
    let version = upload.version;
    let message = say(
        format!("version {version} says something else, and is not changed: upload the next one"),
        format!("a versão {version} diz outra coisa, e não se altera: envie a próxima"),
    );
    Err(Error::conflict_field("schemaVersion", message))
}

fn check_follows(upload: &Upload, usable: &Usable, latest: &Stored) -> Result<()> {
    let number = latest.version;
    if upload.version < number {
        let message = say(
            format!("versions go up: the latest is {number}"),
            format!("as versões crescem: a última é {number}"),
        );
        return Err(Error::invalid_field("schemaVersion", message));
    }
    let before = parse::read(&latest.schema).map_err(|problem| Error::internal(problem.en))?;
    let breaks = compatibility::breaks(&before.expanded, &usable.expanded);
    if breaks.is_empty() {
        return Ok(());
    }
    let message = listed(
        &format!("does not take all that version {number} takes: "),
        &format!("não aceita tudo o que a versão {number} aceita: "),
        &breaks,
    );
    Err(Error::invalid_field("schema", message))
}

fn check_count(schemas: i64) -> Result<()> {
    let max = limits::EVENT_SCHEMAS_MAX;
    if schemas < max {
        return Ok(());
    }
    Err(Error::limit(say(
        format!("a tenant has at most {max} schemas of events"),
        format!("uma conta tem no máximo {max} esquemas de eventos"),
    )))
}

fn uploaded(schema: Stored, usable: &Usable, is_new: bool) -> Uploaded {
    let of = (schema.module.as_str(), schema.event_type.as_str(), schema.version);
    let documentation = documentation::markdown(of, &usable.expanded);
    Uploaded { schema, is_new, documentation }
}

fn image(stored: &Stored) -> Json {
    json!({ "module": stored.module, "eventType": stored.event_type,
        "schemaVersion": stored.version, "schema": stored.schema })
}

fn entry(action: &str, stored: &Stored, (old, new): (Option<Json>, Option<Json>)) -> Entry {
    Entry {
        action: action.to_owned(),
        resource: Resource::Events.as_str(),
        resource_id: stored.id,
        old,
        new,
    }
}
