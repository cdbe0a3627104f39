//! Where a secret lies.

use std::fmt;

use uuid::Uuid;

/// One column of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub tenant_id: Uuid,
    pub table: &'static str,
    pub column: &'static str,
    pub row: Uuid,
}

impl Place {
    /// What is authenticated with the secret: parts of it cannot run into each other, because names
    /// of tables and columns have no `/`.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.tenant_id, self.table, self.column, self.row)
    }
}
