//! Customer goals (metas por cliente): what each customer is to buy from a seller in a year, what
//! was sold, and the page that says whom to call now.
//!
//! Invariants: what was sold a second ago is in the next answer of every node; amounts of different
//! currencies are never added; a year is never below its months.
//!
//! Not here: what a deal is (crm), invoices and money that came in (finance).

mod calendar;
pub mod epoch;
pub mod goal;
pub mod page;
pub mod reaction;
pub mod sale;

use crate::record::Record;

/// The records of this room, in the order of the schema's documentation.
pub fn records() -> Vec<&'static Record> {
    vec![
        sale::record::record(),
        goal::record::record(),
        page::record::record(),
        page::ranking::ranking(),
        page::ranking::series(),
    ]
}
