//! `pulso admin bi-role`: roles of PostgreSQL for those who read with SQL (Metabase, Grafana). Each
//! sees one tenant through views that follow from the declarations of records; see `docs/bi.md`.

use std::sync::Arc;

use clap::{Args, Subcommand};
use entity::tenant::Model as Tenant;
use serde_json::json;
use uuid::Uuid;

use super::admin::Answer;
use crate::access::{Action, FieldRule, Permissions, Resource, ScopeKind, SystemHandle};
use crate::app::App;
use crate::audit::{self, Author, Entry};
use crate::ctx::Origin;
use crate::db::Conn;
use crate::db::bi::readers::{self, Reader};
use crate::db::bi::views::{self, Column, View};
use crate::db::bi::{self, Site, ground};
use crate::error::{Error, Result, say};
use crate::graphql::catalogue;
use crate::identity::{demo, role, tenant};
use crate::limits;
use crate::record::declare::{Field, RelationKind};
use crate::record::{Kind, Record};

/// What readers may see at all. A new record is not shown before it stands here.
const SHOWN: [Resource; 8] = [
    Resource::Companies,
    Resource::Contacts,
    Resource::Leads,
    Resource::LeadInteractions,
    Resource::Deals,
    Resource::DealActivities,
    Resource::PipelineStages,
    Resource::Users,
];
/// Of users the names, whoever asks.
const FIELDS_OF_USERS: [&str; 3] = ["id", "fullName", "isActive"];

#[derive(Debug, Subcommand)]
pub enum BiRoleCommand {
    /// Make a role that reads one tenant's views, and print its password: it is shown this once
    Create(BiRoleCreate),
    /// List the roles
    List,
    /// Make all views again: after a migration, or when a role of --fields-of has changed
    Refresh,
    /// Remove a role; with the last one go the views and the row-level security
    Drop {
        /// Slug of the tenant
        #[arg(long)]
        tenant: String,
        /// Name of the role
        #[arg(long)]
        name: String,
    },
}

#[derive(Debug, Args)]
pub struct BiRoleCreate {
    /// Slug of the tenant
    #[arg(long)]
    tenant: String,
    /// Name of the role [default: pulso_bi_ and the end of the tenant's id]
    #[arg(long)]
    name: Option<String>,
    /// Show the fields that this role of the tenant reads; without it, no personal data and no free
    /// texts
    #[arg(long)]
    fields_of: Option<String>,
    /// Make a role anew that is there already, with another password
    #[arg(long)]
    replace: bool,
}

/// Does what the command says.
pub async fn execute(app: &Arc<App>, command: BiRoleCommand) -> Result<Answer> {
    match command {
        BiRoleCommand::Create(args) => create(app, args).await,
        BiRoleCommand::List => list(app).await,
        BiRoleCommand::Refresh => refresh(app).await,
        BiRoleCommand::Drop { tenant, name } => remove(app, &tenant, &name).await,
    }
}

async fn create(app: &Arc<App>, args: BiRoleCreate) -> Result<Answer> {
    let tenant = tenant::service::named(app, &args.tenant).await?;
    let system = SystemHandle::for_tenant(tenant.id);
    let name = args.name.unwrap_or_else(|| default_name(tenant.id));
    bi::checked_name(&name)?;
    let schema = if args.fields_of.is_some() { name.as_str() } else { bi::SCHEMA };
    let wanted = Reader {
        role: name.clone(),
        tenant_id: tenant.id,
        schema: schema.to_owned(),
        fields_of: args.fields_of,
        created_at: app.clock.now(),
    };
    let (site, known) = look(app, &system).await?;
    let known = known.into_iter().find(|reader| reader.role == name);
    let is_same = known.as_ref().is_some_and(|known| {
        (known.tenant_id, &known.fields_of) == (wanted.tenant_id, &wanted.fields_of)
    });
    match known {
        Some(_) if is_same && !args.replace => return renewed(app, &name).await,
        Some(_) if !args.replace => return Err(sees_something_else(&name)),
        Some(_) | None => {}
    }
    // A misspelt role is refused before anything is made.
    let conn = app.db.single_read().await?;
    views_of(&conn, &wanted).await?;
    drop(conn);
    stand(app, &system, &site).await?;
    let password = demo::random_password();
    let conn = app.db.transaction().await?;
    ground::lock(&conn, &system).await?;
    if let Some(old) = known {
        views::clear(&conn, &system, &old.schema).await?;
        readers::remove(&conn, &system, &site, &old).await?;
        if old.schema != wanted.schema {
            rebuild_shared(&conn, &system, &site).await?;
        }
    }
    readers::create(&conn, &system, &site, &wanted, &password).await?;
    rebuild_for(&conn, &system, &site, &wanted).await?;
    let open = readers::inspect(&conn, &system, &wanted).await?;
    note(app, &conn, (&tenant, "bi_role.create"), &wanted).await?;
    conn.commit().await?;
    let mut answer = Answer { lines: vec![password], notes: open };
    answer.notes.push(format!(
        "Role \"{name}\" of tenant \"{}\" is made; its views are in the schema \"{}\". \
         The password, shown this once:",
        tenant.slug, wanted.schema
    ));
    Ok(answer)
}

/// What is there already gets what this version shows.
async fn renewed(app: &Arc<App>, name: &str) -> Result<Answer> {
    let mut answer = refresh(app).await?;
    answer.notes.push(format!(
        "Role \"{name}\" was there already and keeps its password; --replace makes another."
    ));
    Ok(answer)
}

async fn list(app: &Arc<App>) -> Result<Answer> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let (_, known) = look(app, &system).await?;
    let tenants = tenant::service::list(app).await?;
    let rows = known.into_iter().map(|reader| {
        let slug = tenants.iter().find(|tenant| tenant.id == reader.tenant_id);
        let slug = slug.map_or_else(|| reader.tenant_id.to_string(), |tenant| tenant.slug.clone());
        let fields_of = reader.fields_of.unwrap_or_default();
        let made = reader.created_at.format("%Y-%m-%dT%H:%MZ");
        format!("{}\t{slug}\t{}\t{fields_of}\t{made}", reader.role, reader.schema)
    });
    let head = "role\ttenant\tschema\tfields of\tmade".to_owned();
    Ok(Answer { lines: std::iter::once(head).chain(rows).collect(), notes: Vec::new() })
}

async fn refresh(app: &Arc<App>) -> Result<Answer> {
    let system = SystemHandle::for_tenant(Uuid::nil());
    let (site, known) = look(app, &system).await?;
    if known.is_empty() {
        return Ok(Answer { lines: Vec::new(), notes: vec!["There is no such role.".to_owned()] });
    }
    stand(app, &system, &site).await?;
    let conn = app.db.transaction().await?;
    ground::lock(&conn, &system).await?;
    rebuild_shared(&conn, &system, &site).await?;
    let mut notes = Vec::new();
    for reader in known.iter().filter(|reader| reader.has_own_schema()) {
        if let Err(error) = views_of(&conn, reader).await {
            // What the role may see is unknown: nothing is.
            views::clear(&conn, &system, &reader.schema).await?;
            notes.push(format!("Role \"{}\" has no views any more: {error}", reader.role));
            continue;
        }
        rebuild_for(&conn, &system, &site, reader).await?;
    }
    conn.commit().await?;
    notes.push(format!("The views of {} role(s) are made again.", known.len()));
    Ok(Answer { lines: Vec::new(), notes })
}

async fn remove(app: &Arc<App>, slug: &str, name: &str) -> Result<Answer> {
    let tenant = tenant::service::named(app, slug).await?;
    let system = SystemHandle::for_tenant(tenant.id);
    let (site, known) = look(app, &system).await?;
    let is_it = |reader: &&Reader| reader.role == name && reader.tenant_id == tenant.id;
    let reader = known.iter().find(is_it).ok_or_else(|| Error::not_found("Role"))?;
    let is_last = known.len() == 1;
    let conn = app.db.transaction().await?;
    ground::lock(&conn, &system).await?;
    views::clear(&conn, &system, &reader.schema).await?;
    readers::remove(&conn, &system, &site, reader).await?;
    if is_last {
        views::clear(&conn, &system, bi::SCHEMA).await?;
    } else {
        rebuild_shared(&conn, &system, &site).await?;
    }
    note(app, &conn, (&tenant, "bi_role.drop"), reader).await?;
    conn.commit().await?;
    if is_last {
        for table in guarded(app, &system).await? {
            let conn = app.db.transaction().await?;
            ground::release(&conn, &system, &table).await?;
            conn.commit().await?;
        }
        let conn = app.db.transaction().await?;
        ground::clear(&conn, &system, &site).await?;
        conn.commit().await?;
    }
    Ok(Answer { lines: Vec::new(), notes: vec![format!("Role \"{name}\" is removed.")] })
}

async fn look(app: &App, system: &SystemHandle) -> Result<(Site, Vec<Reader>)> {
    let conn = app.db.single_read().await?;
    Ok((Site::find(&conn, system).await?, readers::list(&conn, system).await?))
}

async fn guarded(app: &App, system: &SystemHandle) -> Result<Vec<String>> {
    ground::guarded(&app.db.single_read().await?, system).await
}

/// Makes what all readers stand on, where it is missing.
async fn stand(app: &App, system: &SystemHandle, site: &Site) -> Result<()> {
    let conn = app.db.transaction().await?;
    ground::prepare(&conn, system, site).await?;
    conn.commit().await?;
    for record in shown() {
        let conn = app.db.transaction().await?;
        ground::guard(&conn, system, site, record.table).await?;
        conn.commit().await?;
    }
    Ok(())
}

/// Makes the views of a reader's schema again, for all who read there.
async fn rebuild_for(
    conn: &Conn,
    system: &SystemHandle,
    site: &Site,
    reader: &Reader,
) -> Result<()> {
    if !reader.has_own_schema() {
        return rebuild_shared(conn, system, site).await;
    }
    let (views, roles) = (views_of(conn, reader).await?, [reader.role.clone()]);
    views::rebuild(conn, system, site, &reader.schema, (&views, &roles)).await
}

async fn rebuild_shared(conn: &Conn, system: &SystemHandle, site: &Site) -> Result<()> {
    let known = readers::list(conn, system).await?.into_iter();
    let roles: Vec<String> =
        known.filter(|reader| !reader.has_own_schema()).map(|reader| reader.role).collect();
    views::rebuild(conn, system, site, bi::SCHEMA, (&views_for(None), &roles)).await
}

async fn views_of(conn: &Conn, reader: &Reader) -> Result<Vec<View>> {
    let Some(name) = &reader.fields_of else { return Ok(views_for(None)) };
    let found = role::service::named(conn, reader.tenant_id, name).await?;
    let views = views_for(Some(&role::service::rights(&found.name, &found.permissions)));
    if views.is_empty() {
        return Err(Error::invalid_field(
            "fieldsOf",
            say(
                format!("the role \"{name}\" reads no record of all users (scope all)"),
                format!("o papel \"{name}\" não lê nenhum registro de todos (escopo all)"),
            ),
        ));
    }
    Ok(views)
}

/// The views that whoever has these rights may see; without rights, those of everybody.
pub fn views_for(rights: Option<&Permissions>) -> Vec<View> {
    // A view shows a whole tenant: whoever reads only rows of their own gets none.
    let reads = |record: &&Record| {
        let scope = |rights: &Permissions| rights.scope(record.resource, Action::Read);
        rights.is_none_or(|rights| scope(rights) == Some(ScopeKind::All))
    };
    shown().filter(reads).map(|record| view(record, rights)).collect()
}

fn shown() -> impl Iterator<Item = &'static Record> {
    let records = &catalogue().records;
    SHOWN.into_iter().filter_map(|resource| {
        records.iter().copied().find(|record| record.resource == resource && !record.is_virtual())
    })
}

fn view(record: &'static Record, rights: Option<&Permissions>) -> View {
    let fields = record.fields.iter().filter(|field| is_shown(record, field, rights));
    View {
        name: record.table,
        about: record.about,
        living_only: record.soft_delete,
        columns: fields.map(column).collect(),
    }
}

fn is_shown(record: &Record, field: &Field, rights: Option<&Permissions>) -> bool {
    let is_name = FIELDS_OF_USERS.contains(&field.name.as_str());
    if field.column == "deleted_at" || (record.resource == Resource::Users && !is_name) {
        return false;
    }
    let Some(rights) = rights else { return !field.pii && !holds_anything(field) };
    let follows = record.relations.iter().all(|relation| match relation.kind {
        RelationKind::One { column, .. } if column == field.column => {
            rights.follows(record.resource, relation.name, Some(&field.name))
        }
        RelationKind::One { .. } | RelationKind::Many { .. } => true,
    });
    follows && rights.field(record.resource, &field.name) == FieldRule::Plain
}

/// Free texts and JSON: whatever somebody wrote there, personal or not.
fn holds_anything(field: &Field) -> bool {
    match field.kind {
        Kind::Json => true,
        Kind::Text => field.chars_max >= limits::TEXT_CHARS_MAX,
        Kind::Id
        | Kind::Code
        | Kind::Int
        | Kind::Float
        | Kind::Bool
        | Kind::Money { .. }
        | Kind::Date
        | Kind::Instant
        | Kind::Enum(_) => false,
    }
}

fn column(field: &'static Field) -> Column {
    let (shown_as, in_hundredths) = match field.kind {
        Kind::Id => ("uuid", false),
        Kind::Text | Kind::Code | Kind::Enum(_) => ("text", false),
        Kind::Int => ("integer", false),
        Kind::Float => ("double precision", false),
        Kind::Bool => ("boolean", false),
        Kind::Money { .. } => ("numeric", true),
        Kind::Date => ("date", false),
        Kind::Instant => ("timestamptz", false),
        Kind::Json => ("jsonb", false),
    };
    Column { name: field.column, about: field.about, shown_as, in_hundredths }
}

/// Says nothing about the tenant: every role of a PostgreSQL server can read the names of all others.
fn default_name(tenant_id: Uuid) -> String {
    let (_, _, _, end) = tenant_id.as_fields();
    let end: String = end.iter().skip(2).map(|byte| format!("{byte:02x}")).collect();
    format!("pulso_bi_{end}")
}

async fn note(
    app: &App,
    conn: &Conn,
    (tenant, action): (&Tenant, &str),
    reader: &Reader,
) -> Result<()> {
    let origin = Origin::internal(format!("command {action}"));
    let author = Author { user_id: None, api_key_id: None, origin: &origin };
    let image = json!({ "role": reader.role, "fieldsOf": reader.fields_of });
    let is_end = action == "bi_role.drop";
    let entry = Entry {
        action: action.to_owned(),
        resource: Resource::Tenants.as_str(),
        resource_id: tenant.id,
        old: is_end.then(|| image.clone()),
        new: (!is_end).then_some(image),
    };
    let system = SystemHandle::for_tenant(tenant.id);
    audit::append_by(&app.clock, conn, &system, author, vec![entry]).await
}

fn sees_something_else(name: &str) -> Error {
    Error::conflict_field(
        "name",
        say(
            format!(
                "the role \"{name}\" is there and sees something else; --replace makes it anew"
            ),
            format!("o papel \"{name}\" já existe e vê outra coisa; --replace o refaz"),
        ),
    )
}
