//! The customer's side of the house: companies, people, leads, and deals that move through stages.

use crate::dialect::Dialect;
use crate::table::Kind::{BigInt, Bool, Date, Id, Instant, Int, Json, LongText, Text};
use crate::table::Partitioning::ByMonth;
use crate::table::{Table, create_all, drop_all, optional, required};

pub(crate) fn up(dialect: Dialect) -> Vec<String> {
    create_all(dialect, &tables())
}

pub(crate) fn down(dialect: Dialect) -> Vec<String> {
    drop_all(dialect, &tables())
}

fn tables() -> Vec<Table> {
    vec![
        pipeline_stages(),
        companies(),
        contacts(),
        leads(),
        lead_interactions(),
        deals(),
        deal_activities(),
        deal_stage_changes(),
    ]
}

fn pipeline_stages() -> Table {
    Table::record("pipeline_stages")
        .columns([
            required("name", Text(100)).folded().sorted(),
            required("slug", Text(100)).sorted(),
            optional("description", Text(255)),
            required("color", Text(7)).default("'#6B7280'"),
            required("sort_order", Int).sorted(),
            required("is_won", Bool).default("FALSE"),
            required("is_lost", Bool).default("FALSE"),
            required("probability", Int).default("0").between(0, 100).sorted(),
        ])
        .check("outcome", "NOT (is_won AND is_lost)")
        .unique(&["slug"])
        .times_sorted()
}

fn companies() -> Table {
    Table::record("companies")
        .external()
        .searched()
        .columns([
            required("name", Text(255)).folded().sorted(),
            optional("trade_name", Text(255)).folded().sorted(),
            optional("cnpj", Text(14)).sorted(),
            optional("segment", Text(100)).sorted(),
            optional("size", Text(20)).one_of(&["micro", "pequena", "media", "grande"]).sorted(),
            optional("website", Text(500)),
            optional("linkedin_url", Text(500)),
            optional("instagram_url", Text(500)),
            optional("address_street", Text(255)),
            optional("address_city", Text(100)).folded().sorted(),
            optional("address_state", Text(2)).sorted(),
            optional("address_zip", Text(10)),
            optional("country", Text(2)),
            optional("notes", LongText),
            optional("source", Text(50)).sorted(),
            optional("employees", Int).at_least(0).sorted(),
            optional("annual_revenue", BigInt).sorted(),
            required("currency", Text(3)),
            optional("founded_year", Int).sorted(),
            optional("parent_id", Id).references("companies"),
            optional("owner_id", Id).references("users"),
            required("metadata", Json).default("'{}'"),
        ])
        .unique(&["cnpj"])
        .times_sorted()
}

fn contacts() -> Table {
    Table::record("contacts")
        .external()
        .searched()
        .columns([
            optional("company_id", Id).references("companies"),
            required("full_name", Text(255)).folded().sorted(),
            optional("email", Text(255)).sorted(),
            optional("phone", Text(20)),
            optional("whatsapp", Text(20)),
            optional("job_title", Text(150)).folded().sorted(),
            optional("department", Text(100)).sorted(),
            optional("linkedin_url", Text(500)),
            required("is_decision_maker", Bool).default("FALSE").sorted(),
            optional("notes", LongText),
            optional("source", Text(50)).sorted(),
            optional("owner_id", Id).references("users"),
            required("metadata", Json).default("'{}'"),
        ])
        .times_sorted()
}

fn leads() -> Table {
    Table::record("leads")
        .external()
        .searched()
        .columns([
            optional("name", Text(255)).folded().sorted(),
            optional("contact_id", Id).references("contacts"),
            optional("company_id", Id).references("companies"),
            required("status", Text(20))
                .default("'new'")
                .one_of(&["new", "contacted", "qualified", "unqualified", "converted", "lost"])
                .sorted(),
            required("temperature", Text(10))
                .default("'cold'")
                .one_of(&["hot", "warm", "cold"])
                .sorted(),
            required("score", Int).default("0").between(0, 100).sorted(),
            required("source", Text(50)).sorted(),
            optional("source_detail", Text(255)),
            optional("channel", Text(50)).sorted(),
            optional("assigned_to", Id).references("users"),
            optional("first_contact_at", Instant).sorted(),
            optional("last_contact_at", Instant).sorted(),
            optional("converted_at", Instant).sorted(),
            optional("notes", LongText),
            required("metadata", Json).default("'{}'").json_indexed(),
        ])
        .times_sorted()
}

/// What was said to a lead and by it: grows with every message.
fn lead_interactions() -> Table {
    Table::record("lead_interactions")
        .partitioned(ByMonth)
        .columns([
            required("lead_id", Id).references("leads"),
            required("interaction_type", Text(30))
                .one_of(&[
                    "whatsapp_sent",
                    "whatsapp_received",
                    "linkedin_sent",
                    "linkedin_received",
                    "email_sent",
                    "email_opened",
                    "email_clicked",
                    "email_replied",
                    "call",
                    "meeting",
                    "note",
                ])
                .sorted(),
            optional("direction", Text(10)).one_of(&["inbound", "outbound"]),
            required("channel", Text(50)).sorted(),
            optional("subject", Text(255)),
            optional("content", LongText),
            required("metadata", Json).default("'{}'"),
            optional("performed_by", Id).references("users"),
        ])
        .times_sorted()
}

fn deals() -> Table {
    Table::record("deals")
        .external()
        .searched()
        .columns([
            required("title", Text(255)).folded().sorted(),
            optional("lead_id", Id).references("leads"),
            optional("company_id", Id).references("companies"),
            optional("contact_id", Id).references("contacts"),
            required("stage_id", Id).references("pipeline_stages"),
            required("status", Text(10))
                .default("'open'")
                .one_of(&["open", "won", "lost"])
                .sorted(),
            required("value", BigInt).default("0").sorted(),
            required("currency", Text(3)).sorted(),
            optional("expected_close_date", Date).sorted(),
            optional("actual_close_date", Date).sorted(),
            optional("lost_reason", Text(255)),
            required("owned_by", Id).references("users"),
            optional("notes", LongText),
            required("metadata", Json).default("'{}'"),
            required("stage_changed_at", Instant).sorted(),
        ])
        .times_sorted()
}

fn deal_activities() -> Table {
    Table::record("deal_activities")
        .columns([
            required("deal_id", Id).references("deals"),
            required("kind", Text(20))
                .one_of(&["call", "meeting", "email", "task", "note", "whatsapp", "other"])
                .sorted(),
            required("subject", Text(255)).folded().sorted(),
            optional("notes", LongText),
            optional("due_at", Instant).sorted(),
            optional("done_at", Instant).sorted(),
            optional("owner_id", Id).references("users"),
        ])
        .times_sorted()
}

/// The way of a deal through the stages: the product needs it, so it does not expire with events.
fn deal_stage_changes() -> Table {
    Table::owned("deal_stage_changes", Id).columns([
        required("deal_id", Id).references("deals"),
        optional("from_stage_id", Id).references("pipeline_stages"),
        required("to_stage_id", Id).references("pipeline_stages"),
        optional("changed_by", Id).references("users"),
        required("changed_at", Instant),
        required("created_at", Instant),
    ])
}
