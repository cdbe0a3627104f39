//! All integration tests, in one binary: one link instead of twenty. By what a user sees, one file
//! each; `support` is what they stand on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unused_result_ok,
    clippy::allow_attributes,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a test stops at the first surprise, and says where"
)]

mod support;

mod aggregates;
mod catalogue;
mod config;
mod demo;
mod dialect;
mod docs_examples;
mod filters;
mod http;
mod idempotency;
mod identity;
mod import;
mod migrations;
mod paging;
mod plans;
mod policy;
mod reads;
mod schema;
mod search;
mod tenancy;
mod tidy;
mod use_cases;
mod websocket;
mod writes;
mod writes_batch;
