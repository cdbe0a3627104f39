//! `pulso admin`: tenants, users, keys and roles from the command line, beside a running server.
//! What somebody may want to pipe (a key, a password, a list) goes to standard output, alone;
//! every other word to standard error.

use std::io::{self, Read, Write};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};

use super::bi_role::{self, BiRoleCommand};
use crate::analytics::event::schema::secret;
use crate::app::App;
use crate::error::{Error, Result, say};
use crate::identity::identity_provider::service::reseal;
use crate::identity::tenant::lifecycle::Turn;
use crate::identity::{api_key, demo, operator, role, tenant, user};

#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Customers of this installation
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// People of a tenant
    #[command(subcommand)]
    User(UserCommand),
    /// API keys of a tenant
    #[command(subcommand)]
    Key(KeyCommand),
    /// Roles of a tenant
    #[command(subcommand)]
    Role(RoleCommand),
    /// What tenants have stored sealed
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Roles of PostgreSQL that read one tenant with SQL (Metabase, Grafana)
    #[command(subcommand)]
    BiRole(BiRoleCommand),
}

#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Make a tenant, with its roles and pipeline stages
    Create(TenantCreate),
    /// List all tenants
    List,
    /// Stop all credentials of a tenant, within a second
    Suspend { slug: String },
    /// Let a suspended tenant work again
    Resume { slug: String },
    /// Suspend a tenant that may be removed for good after a waiting period
    Delete {
        slug: String,
        /// Days until then, in which it can be restored
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
        after_days: u16,
    },
    /// Take a deletion back
    Restore { slug: String },
    /// Remove a deleted tenant for good, whose waiting period is over (the server does so by itself)
    Purge { slug: String },
    /// List the tenants that were removed for good
    Purged,
}

#[derive(Debug, Args)]
pub struct TenantCreate {
    /// 2 to 63 characters out of a-z, 0-9 and -
    slug: String,
    #[arg(long)]
    name: String,
    /// IANA name [default: America/Sao_Paulo]
    #[arg(long)]
    time_zone: Option<String>,
    /// Code of ISO 4217 [default: BRL]
    #[arg(long)]
    currency: Option<String>,
    /// pt-BR or en [default: pt-BR]
    #[arg(long)]
    language: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make a user; without --password-stdin a password is made and printed
    Create(UserCreate),
}

#[derive(Debug, Args)]
pub struct UserCreate {
    /// Slug of the tenant
    #[arg(long)]
    tenant: String,
    #[arg(long)]
    email: String,
    /// Full name
    #[arg(long)]
    name: String,
    /// Name of a role; may be given several times
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key and print it: it is shown this once
    Create(KeyCreate),
    /// List the keys of a tenant
    List {
        /// Slug of the tenant
        #[arg(long)]
        tenant: String,
    },
    /// Give a key a new secret and print it; the old one works on for a while
    Rotate {
        /// Slug of the tenant
        #[arg(long)]
        tenant: String,
        /// Hours that the old secret still works
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(0..=720))]
        overlap_hours: u16,
        /// Id or prefix of the key
        key: String,
    },
    /// End a key for good
    Revoke {
        /// Slug of the tenant
        #[arg(long)]
        tenant: String,
        /// Id or prefix of the key
        key: String,
    },
}

#[derive(Debug, Args)]
pub struct KeyCreate {
    /// Slug of the tenant
    #[arg(long)]
    tenant: String,
    /// Name of the role that the key acts with
    #[arg(long)]
    role: String,
    /// What the key is for
    #[arg(long, default_value = "API key")]
    name: String,
    /// Leave only this right of the role, as in leads:read; may be given several times
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// End the key by itself after so many days
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3650))]
    expires_in_days: Option<u16>,
}

#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// List the roles of a tenant and what they allow
    List {
        /// Slug of the tenant
        #[arg(long)]
        tenant: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Seal all secrets anew under the first of master_keys, after which the others may go
    Rotate,
}

/// What a command has to say.
#[derive(Debug, Default)]
pub struct Answer {
    /// For standard output: what somebody may want to pipe, and nothing else.
    pub lines: Vec<String>,
    /// For standard error.
    pub notes: Vec<String>,
}

impl Answer {
    fn new(line: impl Into<String>, note: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], notes: vec![note.into()] }
    }

    fn table(head: &str, rows: impl Iterator<Item = String>) -> Self {
        let lines = std::iter::once(head.to_owned()).chain(rows).collect();
        Self { lines, notes: Vec::new() }
    }
}

/// Does what the command says and prints its answer.
pub async fn run(app: &Arc<App>, command: Admin) -> Result<()> {
    let answer = execute(app, command).await?;
    for note in &answer.notes {
        writeln!(io::stderr().lock(), "{note}").map_err(Error::internal)?;
    }
    for line in &answer.lines {
        writeln!(io::stdout().lock(), "{line}").map_err(Error::internal)?;
    }
    Ok(())
}

/// Does what the command says.
pub async fn execute(app: &Arc<App>, command: Admin) -> Result<Answer> {
    match command {
        Admin::Tenant(TenantCommand::Create(args)) => create_tenant(app, args).await,
        Admin::Tenant(TenantCommand::List) => list_tenants(app).await,
        Admin::Tenant(TenantCommand::Suspend { slug }) => turn(app, &slug, Turn::Suspend).await,
        Admin::Tenant(TenantCommand::Resume { slug }) => turn(app, &slug, Turn::Resume).await,
        Admin::Tenant(TenantCommand::Delete { slug, after_days }) => {
            turn(app, &slug, Turn::Delete { after_days }).await
        }
        Admin::Secrets(SecretsCommand::Rotate) => rotate_secrets(app).await,
        Admin::Tenant(TenantCommand::Restore { slug }) => turn(app, &slug, Turn::Restore).await,
        Admin::Tenant(TenantCommand::Purge { slug }) => purge(app, &slug).await,
        Admin::Tenant(TenantCommand::Purged) => list_purged(app).await,
        Admin::User(UserCommand::Create(args)) => create_user(app, args).await,
        Admin::Key(KeyCommand::Create(args)) => create_key(app, args).await,
        Admin::Key(KeyCommand::List { tenant }) => list_keys(app, &tenant).await,
        Admin::Key(KeyCommand::Rotate { tenant, overlap_hours, key }) => {
            let overlap = TimeDelta::hours(i64::from(overlap_hours));
            let text = api_key::service::rotate(app, &tenant, &key, overlap).await?;
            Ok(Answer::new(text, format!("The old secret works for {overlap_hours} hours more.")))
        }
        Admin::Key(KeyCommand::Revoke { tenant, key }) => {
            api_key::service::revoke(app, &tenant, &key).await?;
            let note = "The key is revoked; it stops working within a second.".to_owned();
            Ok(Answer { lines: Vec::new(), notes: vec![note] })
        }
        Admin::Role(RoleCommand::List { tenant }) => list_roles(app, &tenant).await,
        Admin::BiRole(command) => Box::pin(bi_role::execute(app, command)).await,
    }
}

async fn create_tenant(app: &Arc<App>, args: TenantCreate) -> Result<Answer> {
    let options = tenant::service::TenantOptions {
        time_zone: args.time_zone,
        currency: args.currency,
        language: args.language,
    };
    let id = operator::create_tenant(app, &args.slug, &args.name, options).await?;
    Ok(Answer::new(id.to_string(), format!("Tenant \"{}\" is made. Its id:", args.slug)))
}

async fn list_tenants(app: &Arc<App>) -> Result<Answer> {
    let tenants = tenant::service::list(app).await?;
    let rows = tenants.into_iter().map(|tenant| {
        let state = match (tenant.purge_at, tenant.suspended_at) {
            (Some(_), _) => "deleted",
            (None, Some(_)) => "suspended",
            (None, None) => "active",
        };
        format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{state}",
            tenant.slug, tenant.name, tenant.time_zone, tenant.currency, tenant.language, tenant.id
        )
    });
    Ok(Answer::table("slug\tname\ttime zone\tcurrency\tlanguage\tid\tstate", rows))
}

async fn purge(app: &Arc<App>, slug: &str) -> Result<Answer> {
    let tombstone = tenant::purge::service::purge_named(app, slug).await?;
    let note = format!("Tenant \"{slug}\" is removed for good. Rows removed, by table:");
    Ok(Answer::new(tombstone.removed.to_string(), note))
}

async fn list_purged(app: &Arc<App>) -> Result<Answer> {
    let tombstones = tenant::purge::service::tombstones(app).await?;
    let rows = tombstones.into_iter().map(|tombstone| {
        let ended = tombstone.purged_at.map_or("under way".to_owned(), |at| shown(Some(at)));
        let (slug, by, removed) = (tombstone.slug, tombstone.started_by, tombstone.removed);
        format!("{slug}\t{}\t{ended}\t{by}\t{removed}", tombstone.id)
    });
    Ok(Answer::table("slug\tid\tremoved at\tby\trows", rows))
}

async fn turn(app: &Arc<App>, slug: &str, turn: Turn) -> Result<Answer> {
    let tenant = tenant::lifecycle::turn(app, slug, turn).await?;
    let note = match (tenant.purge_at, tenant.suspended_at) {
        (Some(at), _) => format!(
            "Tenant \"{slug}\" is deleted: its credentials stop within a second, and until {} it can \
             be restored.",
            shown(Some(at))
        ),
        (None, Some(_)) => {
            format!("Tenant \"{slug}\" is suspended: its credentials stop within a second.")
        }
        (None, None) => format!("Tenant \"{slug}\" is active."),
    };
    Ok(Answer { lines: Vec::new(), notes: vec![note] })
}

async fn create_user(app: &Arc<App>, args: UserCreate) -> Result<Answer> {
    let tenant = tenant::service::named(app, &args.tenant).await?;
    let given = if args.password_stdin { Some(password_from_stdin()?) } else { None };
    let generated = if given.is_none() { Some(demo::random_password()) } else { None };
    let input = user::service::UserInput {
        email: Some(args.email),
        full_name: args.name,
        password: given.or_else(|| generated.clone()),
        roles: args.roles,
        manager_id: None,
        org_unit_id: None,
    };
    let id = operator::create_user(app, tenant.id, input).await?;
    Ok(match generated {
        Some(password) => {
            Answer::new(password, format!("User {id} is made. The password, shown this once:"))
        }
        None => Answer { lines: Vec::new(), notes: vec![format!("User {id} is made.")] },
    })
}

async fn create_key(app: &Arc<App>, args: KeyCreate) -> Result<Answer> {
    let expires_at =
        args.expires_in_days.map(|days| app.clock.now() + TimeDelta::days(i64::from(days)));
    let tenant = tenant::service::named(app, &args.tenant).await?;
    let input = api_key::service::KeyInput {
        role: args.role.clone(),
        name: args.name.clone(),
        scopes: args.scopes,
        expires_at,
        ..api_key::service::KeyInput::default()
    };
    let key = operator::create_key(app, tenant.id, input).await?;
    let (role, name) = (&args.role, &args.name);
    Ok(Answer::new(key, format!("Key \"{name}\" of role {role} is made; it is shown this once.")))
}

async fn list_keys(app: &Arc<App>, tenant: &str) -> Result<Answer> {
    let now = app.clock.now();
    let keys = api_key::service::list(app, tenant).await?;
    let rows = keys.into_iter().map(|key| {
        let state = match (key.revoked_at, key.expires_at) {
            (Some(at), _) => format!("revoked {}", shown(Some(at))),
            (None, Some(at)) if at <= now => format!("expired {}", shown(Some(at))),
            (None, Some(at)) => format!("until {}", shown(Some(at))),
            (None, None) => "active".to_owned(),
        };
        let scopes = if key.scopes.is_empty() { "all".to_owned() } else { key.scopes.join(",") };
        let last_used = shown(key.last_used_at);
        format!(
            "{}\t{}\t{}\t{scopes}\t{state}\t{last_used}\t{}",
            key.prefix, key.name, key.role, key.id
        )
    });
    Ok(Answer::table("prefix\tname\trole\tscopes\tstate\tlast used\tid", rows))
}

async fn list_roles(app: &Arc<App>, tenant: &str) -> Result<Answer> {
    let roles = role::service::list(app, tenant).await?;
    let rows = roles.into_iter().map(|role| {
        let label = role.label_pt.unwrap_or_default();
        format!("{}\t{label}\t{}", role.name, role.permissions)
    });
    Ok(Answer::table("name\tlabel\tpermissions", rows))
}

/// The first line, without its end; never an argument, which every process of the machine may read.
fn password_from_stdin() -> Result<String> {
    let mut text = String::new();
    let most = 64 * 1024;
    io::stdin().lock().take(most).read_to_string(&mut text).map_err(|error| {
        Error::invalid(say(
            format!("the password cannot be read: {error}"),
            format!("a senha não pode ser lida: {error}"),
        ))
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn shown(at: Option<DateTime<Utc>>) -> String {
    at.map_or("never".to_owned(), |at| at.format("%Y-%m-%dT%H:%MZ").to_string())
}

async fn rotate_secrets(app: &Arc<App>) -> Result<Answer> {
    let done = reseal(app).await?;
    let (resealed, current) = secret::reseal(app).await?;
    Ok(Answer::new(
        format!("{} resealed", done.resealed + resealed),
        format!("{} were sealed under the first master key already", done.current + current),
    ))
}
