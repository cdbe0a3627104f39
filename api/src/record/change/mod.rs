//! Writes.

use std::collections::BTreeMap;

use crate::db::Value;

/// A row on its way into its table.
pub struct RowChange {
    /// The row as it is now; absent on create. By column.
    pub old: Option<BTreeMap<&'static str, Value>>,
    /// The columns about to be written.
    pub new: BTreeMap<&'static str, Value>,
}
