//! The epochs of the page of goals: numbers of a seller that grow with every change which concerns
//! the seller, in its transaction. What is kept of a seller carries the number it was read at.

use uuid::Uuid;

/// Grows with the seller's sales.
pub fn of_sales(seller: Uuid) -> String {
    format!("goal_sales/{seller}")
}

/// Grows with the seller's goals, and with what their customers are called.
pub fn of_goals(seller: Uuid) -> String {
    format!("goals/{seller}")
}
