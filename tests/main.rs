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

mod accounts;
mod aggregates;
mod api_keys;
mod audit;
mod bi_role;
mod catalogue;
mod change_trail;
mod clients;
mod config;
mod connections;
mod cost;
mod custom_metrics;
mod deletion;
mod demo;
mod dialect;
mod dimensions;
mod docs_examples;
mod doctor;
mod event_data_sets;
mod event_folding;
mod event_ingestion;
mod event_log;
mod event_quarantine;
mod event_retry;
mod event_schemas;
mod event_types;
mod field_rules;
mod filters;
mod goals;
mod goals_calendar;
mod goals_commands;
mod goals_freshness;
mod goals_imported;
mod goals_interleaved;
mod goals_invalidation;
mod goals_order;
mod goals_proposed;
mod goals_reach;
mod goals_rest;
mod goals_tiers;
mod goals_told;
mod grafana;
mod http;
mod idempotency;
mod identity;
mod identity_providers;
mod import;
mod import_command;
mod import_data_sets;
mod import_history;
mod interactions;
mod isolation;
mod jobs;
mod kept_plans;
mod key_expiry;
mod lead_conversion;
mod metric_backfill;
mod metric_comparison;
mod metric_kept;
mod metric_lineage;
mod metric_live;
mod metric_series;
mod migrations;
mod nested_writes;
mod notifications;
mod owasp;
mod pages;
mod paging;
mod persisted;
mod pipeline;
mod plans;
mod policy;
mod rate_limits;
mod react_goals;
mod read_log;
mod reads;
mod requests;
mod roles;
mod row_scopes;
mod sales_at_once;
mod schema;
mod search;
mod series_rest;
mod sessions;
mod sign_in_attacks;
mod sign_out;
mod single_sign_on;
mod snapshot_jobs;
mod standing;
mod subscriptions;
mod tenant_export;
mod tenant_purge;
mod tenants;
mod tidy;
mod tls;
mod two_nodes;
mod upserts;
mod use_cases;
mod websocket;
mod workers;
mod writes;
mod writes_batch;
