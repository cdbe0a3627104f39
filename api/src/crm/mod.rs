//! Customers and what may become of them: companies and their people, leads and the talks with
//! them, deals on their way through the stages.
//!
//! Invariants: a deal always has a stage and an owner, and no negative value; a lead moves only along
//! its machine; money has a currency.
//!
//! Not here: contracts and invoices (finance), goals and sales (goals).

pub mod company;
pub mod contact;
pub mod deal;
pub mod deal_activity;
pub mod lead;
pub mod lead_interaction;
pub mod notices;
pub mod pipeline;
pub mod pipeline_stage;

use crate::record::Record;

/// The records of this room, in the order of the schema's documentation.
pub fn records() -> Vec<&'static Record> {
    let mut records = vec![
        company::record(),
        contact::record(),
        lead::record::record(),
        lead_interaction::record::record(),
        pipeline_stage::record(),
        deal::record::record(),
        deal_activity::record(),
    ];
    records.extend(pipeline::records());
    records
}
