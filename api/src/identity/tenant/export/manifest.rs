//! What an export says of itself: `manifest.json`, the last file of the archive.

use chrono::{DateTime, Utc};
use entity::tenant;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::db::tables::{Column, Holds, Table};

const FORMAT: &str = "pulso-tenant-export";
/// Raised when a reader of the format would have to change.
const FORMAT_VERSION: u32 = 1;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    format: &'static str,
    format_version: u32,
    /// The last migration of the database that was read.
    schema_version: String,
    /// Of the program that wrote it.
    version: &'static str,
    exported_at: DateTime<Utc>,
    tenant: Named,
    tables: Vec<TableFiles>,
    /// Nothing is missing but what the tables say of themselves.
    complete: bool,
}

#[derive(Debug, Serialize)]
struct Named {
    id: Uuid,
    slug: String,
    name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableFiles {
    table: &'static str,
    pub(super) rows: u64,
    pub(super) files: Vec<File>,
    /// Columns that prove who somebody is.
    left_out_secret: Vec<&'static str>,
    /// Columns that the server computes from the others.
    left_out_derived: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct File {
    path: String,
    rows: u64,
    bytes: usize,
    sha256: String,
}

impl Manifest {
    pub(super) fn new(tenant: &tenant::Model, at: DateTime<Utc>) -> Self {
        let steps = migration::steps();
        Self {
            format: FORMAT,
            format_version: FORMAT_VERSION,
            schema_version: steps.last().map(|step| step.name.to_owned()).unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION"),
            exported_at: at,
            tenant: Named { id: tenant.id, slug: tenant.slug.clone(), name: tenant.name.clone() },
            tables: Vec::new(),
            complete: true,
        }
    }

    pub(super) fn add(&mut self, table: TableFiles) {
        self.tables.push(table);
    }
}

impl TableFiles {
    pub(super) fn of(table: &Table) -> Self {
        let holding = |holds: Holds| {
            let columns =
                table.columns.iter().filter(move |column: &&Column| column.holds == holds);
            columns.map(|column| column.name).collect()
        };
        Self {
            table: table.name,
            rows: 0,
            files: Vec::new(),
            left_out_secret: holding(Holds::Secret),
            left_out_derived: holding(Holds::Derived),
        }
    }

    /// Notes one more file of the table; where it is inside the archive's folder.
    pub(super) fn add(&mut self, content: &[u8], rows: u64) -> String {
        let path = format!("{}/{:06}.ndjson", self.table, self.files.len() + 1);
        let digest = Sha256::digest(content);
        self.rows += rows;
        self.files.push(File {
            path: path.clone(),
            rows,
            bytes: content.len(),
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        });
        path
    }
}
