//! A tenant taken along whole: every row of every table that is its, as of one moment, in one file.
//! `docs/tenants.md` says what is in it.
//!
//! Invariants:
//! - all rows are read in one snapshot, page by page: memory does not grow with the tenant;
//! - what proves who somebody is (hashes of passwords, digests of keys) stays behind, and the manifest
//!   says so;
//! - the manifest comes last. A file without it is a part, whatever broke off.

mod archive;
mod manifest;
pub mod service;
mod store;
