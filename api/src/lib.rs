//! The map of the house. Work enters by a door, is done in a room, stands on the ground; imports
//! only go down. `ARCHITECTURE.md` is the longer tour.

// Ground: what everything stands on.
pub mod access;
pub mod audit;
pub mod browser;
pub mod cache;
pub mod clock;
pub mod config;
pub mod ctx;
pub mod db;
pub mod error;
pub mod events;
pub mod limits;
pub mod mail;
pub mod notice;
pub mod outbox;
pub mod queue;
pub mod rate;
pub mod record;
pub mod telemetry;
pub mod vault;

// Rooms: what the product is, one folder per noun.
pub mod analytics;
pub mod crm;
pub mod goals;
pub mod identity;
// Last, because it fills the others.
pub mod demo;

// Doors: how work gets in.
pub mod cli;
pub mod graphql;
pub mod http;
pub mod import;
pub mod jobs;

// Where the parts are put together.
pub mod app;
