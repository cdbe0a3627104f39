//! The tables as Rust types: one file per table, and the value types that columns hold.
//!
//! No rules and no queries: what may happen to a row is decided in the rooms, and every statement
//! goes through a tenant's handle. Keys are `(tenant_id, id)`; enums are text with a check in the
//! database; money is `i64` in hundredths of the row's currency.

pub mod account_token;
pub mod analytics_dimension;
pub mod api_key;
pub mod audit_chain;
pub mod audit_log;
pub mod audit_seal;
pub mod company;
pub mod contact;
pub mod custom_metric;
pub mod customer_goal;
pub mod deal;
pub mod deal_activity;
pub mod deal_stage_change;
pub mod epoch;
pub mod event;
pub mod event_batch;
pub mod event_failure;
pub mod event_id;
pub mod event_schema;
pub mod fold_head;
pub mod idempotency_key;
pub mod identity_provider;
pub mod job;
pub mod lead;
pub mod lead_interaction;
pub mod mail;
pub mod metric_series;
pub mod notification;
pub mod notification_feed;
pub mod org_unit;
pub mod outbox;
pub mod persisted_operation;
pub mod pipeline_stage;
pub mod quarantined_event;
pub mod rate_budget;
pub mod read_log;
pub mod role;
pub mod sale;
pub mod server_secret;
pub mod session;
pub mod sign_in_flow;
pub mod sign_in_guard;
pub mod snapshot;
pub mod tenant;
pub mod tenant_tombstone;
pub mod user;
pub mod user_identity;
pub mod user_role;
pub mod value;
