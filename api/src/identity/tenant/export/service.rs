//! Who may take a tenant along, and the archive as it is read.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use entity::tenant;
use futures::StreamExt as _;
use futures::stream::{BoxStream, try_unfold};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::manifest::{Manifest, TableFiles};
use super::{archive, store};
use crate::access::{Action, Permit, Resource, RowRule, SystemHandle};
use crate::app::App;
use crate::audit::Author;
use crate::ctx::{Ctx, Origin};
use crate::db::tables::{Table, all, root};
use crate::db::{Conn, Value};
use crate::error::{Error, Result, say};
use crate::identity::tenant::service;
use crate::identity::trail::{self, Deed};
use crate::limits;

/// Seconds after which somebody who was refused for want of room may ask again.
const AGAIN_S: u64 = 30;

/// An archive that is made while it is read.
pub struct Export {
    /// `pulso-export-SLUG-20260310T120000Z.tar`
    pub file_name: String,
    /// An error in it means that the rest is missing.
    pub pieces: BoxStream<'static, Result<Bytes>>,
}

/// The tenant of somebody who may read everything of it, and change its settings.
pub async fn for_caller(ctx: &Ctx) -> Result<Export> {
    let writer = ctx.writer(Action::Update, Resource::Tenants)?;
    check_reads_everything(ctx)?;
    let slot = ctx.app.identity.export_slot()?;
    let tenant = service::of_caller(ctx).await?;
    let conn = ctx.transaction().await?;
    trail::leave(ctx, &conn, &writer, deed(&tenant)).await?;
    conn.commit().await?;
    begin(&ctx.app, tenant, writer, slot).await
}

/// Any tenant, for the operator, suspended and deleted ones too.
pub async fn for_operator(app: &Arc<App>, slug: &str) -> Result<Export> {
    let slot = app.identity.export_slot()?;
    let tenant = service::named(app, slug).await?;
    let system = SystemHandle::for_tenant(tenant.id);
    let origin = Origin::internal("command tenant.export");
    let author = Author { user_id: None, api_key_id: None, origin: &origin };
    let conn = app.db.transaction().await?;
    trail::leave_by(&app.clock, &conn, &system, author, deed(&tenant)).await?;
    conn.commit().await?;
    begin(app, tenant, system, slot).await
}

/// Written before the first row is read, so that the archive tells of itself.
fn deed(tenant: &tenant::Model) -> Deed {
    Deed {
        action: "tenant.export",
        event: "tenant.exported",
        resource: Resource::Tenants,
        id: tenant.id,
        old: None,
        new: Some(json!({ "slug": tenant.slug })),
    }
}

/// Nobody takes along what they may not see: every resource, every row, every field. A key that is
/// held to registered operations does nothing else.
fn check_reads_everything(ctx: &Ctx) -> Result<()> {
    for resource in Resource::ALL {
        let reader = ctx.reader(resource)?;
        if *reader.rows() != RowRule::All || !reader.is_whole() {
            let name = resource.as_str();
            return Err(Error::forbidden(say(
                format!("only who may read everything exports it: you see a part of {name}"),
                format!("só exporta tudo quem pode ler tudo: você vê uma parte de {name}"),
            )));
        }
    }
    if ctx.actor.persisted_only {
        return Err(Error::forbidden(say(
            "this key runs registered operations only",
            "esta chave só executa operações registradas",
        )));
    }
    Ok(())
}

/// The refusal of one export more than there is room for.
pub(in crate::identity) fn no_room() -> Error {
    Error::RateLimited {
        message: say(
            "an export is under way on this server: try again when it is done",
            "há uma exportação em andamento neste servidor: tente de novo quando terminar",
        ),
        retry_after_s: AGAIN_S,
    }
}

async fn begin<P: Permit + Send + 'static>(
    app: &Arc<App>,
    tenant: tenant::Model,
    permit: P,
    slot: OwnedSemaphorePermit,
) -> Result<Export> {
    let at = app.clock.now();
    let folder = format!("pulso-export-{}-{}", tenant.slug, at.format("%Y%m%dT%H%M%SZ"));
    let reading = Reading {
        conn: app.db.snapshot().await?,
        permit,
        at,
        manifest: Manifest::new(&tenant, at),
        tables: std::iter::once(root()).chain(all()).collect::<Vec<_>>().into_iter(),
        current: None,
        folder: folder.clone(),
        stage: Stage::Tables,
        _slot: slot,
    };
    let pieces = try_unfold(reading, |mut reading| async move {
        let piece = reading.next().await?;
        Ok(piece.map(|piece| (piece, reading)))
    });
    Ok(Export { file_name: format!("{folder}.tar"), pieces: pieces.boxed() })
}

/// How far an archive is.
struct Reading<P> {
    conn: Conn,
    permit: P,
    at: DateTime<Utc>,
    manifest: Manifest,
    tables: std::vec::IntoIter<&'static Table>,
    current: Option<Current>,
    folder: String,
    stage: Stage,
    _slot: OwnedSemaphorePermit,
}

/// The table that is being read.
struct Current {
    table: &'static Table,
    files: TableFiles,
    /// The id of the last row read.
    last: Option<Value>,
    is_read: bool,
}

enum Stage {
    Tables,
    Manifest,
    End,
    Done,
}

impl<P: Permit> Reading<P> {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.stage {
                Stage::Tables => match self.next_of_tables().await? {
                    Some(piece) => return Ok(Some(piece)),
                    None => self.stage = Stage::Manifest,
                },
                Stage::Manifest => {
                    self.stage = Stage::End;
                    let manifest =
                        serde_json::to_vec_pretty(&self.manifest).map_err(Error::internal)?;
                    let path = format!("{}/manifest.json", self.folder);
                    return archive::file(&path, &manifest, self.at).map(Some);
                }
                Stage::End => {
                    self.stage = Stage::Done;
                    return Ok(Some(archive::end()));
                }
                Stage::Done => return Ok(None),
            }
        }
    }

    /// The next file of rows; tables without rows have none.
    async fn next_of_tables(&mut self) -> Result<Option<Bytes>> {
        loop {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => match self.tables.next() {
                    Some(table) => Current::new(table),
                    None => return Ok(None),
                },
            };
            let (content, rows) = current.read(&self.conn, &self.permit).await?;
            let piece = if rows == 0 {
                None
            } else {
                let path = format!("{}/{}", self.folder, current.files.add(&content, rows));
                Some(archive::file(&path, &content, self.at)?)
            };
            if current.is_read {
                self.manifest.add(current.files);
            } else {
                self.current = Some(current);
            }
            if piece.is_some() {
                return Ok(piece);
            }
        }
    }
}

impl Current {
    fn new(table: &'static Table) -> Self {
        Self { table, files: TableFiles::of(table), last: None, is_read: false }
    }

    /// Rows enough for one file, a line each, and how many.
    async fn read(&mut self, conn: &Conn, permit: &impl Permit) -> Result<(Bytes, u64)> {
        let mut content = BytesMut::new();
        let mut count = 0;
        while !self.is_read && content.len() < limits::EXPORT_FILE_BYTES {
            let most = limits::EXPORT_PAGE_ROWS;
            let rows = store::page(conn, permit, self.table, (self.last.as_ref(), most)).await?;
            self.is_read = rows.len() < most;
            if let Some(last) = rows.last() {
                self.last = Some(store::id_of(self.table, last)?);
            }
            for row in &rows {
                let line = store::json_of(self.table, row)?;
                content.put_slice(line.to_string().as_bytes());
                content.put_u8(b'\n');
                count += 1;
            }
        }
        Ok((content.freeze(), count))
    }
}
