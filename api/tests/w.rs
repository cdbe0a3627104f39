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
#![allow(dead_code, unused)]
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../../tests/writes.rs"]
mod writes;
