//! Mappings and values together: what a text of TOML makes of a row.

use serde_json::json;

use super::file::Row;
use super::mapping;
use super::plan::Plan;
use super::values::{Drawn, Zones, draw, is_met, make_columns};
use crate::db::{NullOf, Value};
use crate::error::{Language, Result};

const ZONES: Zones =
    Zones { usual: chrono_tz::America::Sao_Paulo, tenant: chrono_tz::America::Sao_Paulo };

/// A mapping with one step for companies.
fn companies(fields: &str) -> Plan {
    let text = format!(
        "system = \"s\"\nempty = [\"NULL\"]\n[maps.m]\na = \"alpha\"\nnone = \"\"\n\
         [[step]]\nname = \"one\"\nfile = \"one.csv\"\nrecord = \"Company\"\n\
         [step.fields]\nexternalId = \"id\"\nname = \"name\"\n{fields}\n"
    );
    match mapping::read("m.toml", &text) {
        Ok(plan) => plan,
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

fn draw_from(plan: &Plan, cells: &[(&str, &str)]) -> Result<()> {
    drawn(plan, cells).map(drop)
}

fn drawn<'p>(plan: &'p Plan, cells: &[(&str, &str)]) -> Result<Drawn<'p>> {
    let mut all = vec![("id", "1"), ("name", "Acme")];
    all.extend_from_slice(cells);
    let mut row = Row::of(&all);
    make_columns(&plan.steps[0], &mut row)?;
    draw(&plan.steps[0], &row, ZONES)
}

/// What a field gets of one cell named `c`.
#[track_caller]
fn value(fields: &str, column: &str, cell: &str) -> Value {
    let plan = companies(fields);
    let drawn = drawn(&plan, &[("c", cell)]).unwrap_or_else(|error| panic!("{error}"));
    drawn.values[column].clone()
}

fn refusal(fields: &str, cell: &str) -> String {
    let error = draw_from(&companies(fields), &[("c", cell)]).unwrap_err();
    format!("{}: {}", error.field().unwrap_or_default(), error.message(Language::En))
}

fn text(text: &str) -> Value {
    text.into()
}

const NOTHING: Value = Value::Null(NullOf::Text);

/// All mistakes of a mapping, as they are shown.
fn mistakes(text: &str) -> String {
    mapping::read("m.toml", text).err().map(|problems| problems.to_string()).unwrap_or_default()
}

#[test]
fn texts_are_trimmed_and_emptiness_is_null() {
    assert_eq!(value("segment = \"c\"", "segment", "  a b "), text("a b"));
    assert_eq!(value("segment = \"c\"", "segment", "   "), NOTHING);
    assert_eq!(value("segment = \"c\"", "segment", "NULL"), NOTHING);
    assert_eq!(value("segment = { column = \"c\", empty = \"-\" }", "segment", "-"), NOTHING);
    assert_eq!(value("segment = { column = \"c\", trim = false }", "segment", " a"), text(" a"));
    assert_eq!(value("segment = { column = \"c\", default = \"x\" }", "segment", ""), text("x"));
    assert_eq!(
        refusal("segment = { column = \"c\", required = true }", ""),
        "segment: is required and empty"
    );
}

#[test]
fn value_maps_keep_refuse_or_forget_what_they_do_not_know() {
    let mapped = |more: &str, cell: &str| {
        value(&format!("segment = {{ column = \"c\", map = \"m\"{more} }}"), "segment", cell)
    };
    assert_eq!(mapped("", "a"), text("alpha"));
    assert_eq!(mapped("", "b"), text("b"));
    assert_eq!(mapped("", "none"), NOTHING);
    assert_eq!(mapped(", unmapped = \"null\"", "b"), NOTHING);
    let refused = refusal("segment = { column = \"c\", map = \"m\", unmapped = \"refuse\" }", "b");
    assert_eq!(refused, "segment: \"b\" is not in the value map");
}

#[test]
fn templates_and_alternatives_cope_with_missing_parts() {
    let either = "segment = [\"{c} / {name}\", \"{name}\"]";
    assert_eq!(value(either, "segment", "Isdom"), text("Isdom / Acme"));
    assert_eq!(value(either, "segment", " "), text("Acme"));
    assert_eq!(value("segment = \"Nr. {c:3}\"", "segment", "ábcd"), text("Nr. ábc"));
    let first = "segment = { first = [\"c\", \"name\"], required = true }";
    assert_eq!(value(first, "segment", "x"), text("x"));
    assert_eq!(value(first, "segment", ""), text("Acme"));
}

#[test]
fn cases_know_portuguese_names() {
    let city = "addressCity = { column = \"c\", case = \"title\" }";
    for (given, shown) in [
        ("mogi das cruzes", "Mogi das Cruzes"),
        ("SANTA BARBARA D'OESTE", "Santa Barbara d'Oeste"),
        ("embu-guacu", "Embu-Guacu"),
        ("são joão", "São João"),
    ] {
        assert_eq!(value(city, "address_city", given), text(shown));
    }
    let upper = "addressState = { column = \"c\", case = \"upper\", chars = 2 }";
    assert_eq!(value(upper, "address_state", "spx"), text("SP"));
}

#[test]
fn numbers_and_money_are_exact() {
    let millions = "annualRevenue = { column = \"c\", scale = 6 }";
    assert_eq!(value(millions, "annual_revenue", "1100.04"), Value::Int(110_004_000_000));
    let brazilian = "annualRevenue = { column = \"c\", decimal = \",\", grouping = \".\" }";
    assert_eq!(value(brazilian, "annual_revenue", "1.234,5"), Value::Int(123_450));
    assert_eq!(value("employees = \"c\"", "employees", "2822"), Value::Int(2822));
    assert_eq!(value("employees = \"c\"", "employees", ""), Value::Null(NullOf::Int));
    assert_eq!(refusal("employees = \"c\"", "many"), "employees: \"many\" is not a number");
    assert_eq!(refusal("employees = \"c\"", "3000000000"), "employees: the number is too large");
}

#[test]
fn enums_are_read_in_either_spelling() {
    for given in ["media", "MEDIA"] {
        assert_eq!(value("size = \"c\"", "size", given), text("media"));
    }
    let refused = refusal("size = \"c\"", "huge");
    assert_eq!(refused, "size: \"huge\" is none of MICRO, PEQUENA, MEDIA, GRANDE");
}

#[test]
fn objects_hold_typed_values_and_leave_out_what_is_empty() {
    let fields = "[step.fields.metadata.json]\ntext = \"c\"\nnumber = { column = \"c\", as = \"int\" }\n\
                  day = { value = \"26-02-2018\", date = \"%d-%m-%Y\", as = \"date\" }\n\
                  at = { value = \"2018-02-26 19:58\", as = \"instant\" }\n\
                  is = { value = true, as = \"bool\" }\nempty = \"id2\"\n\
                  odd = { column = \"c\", when = { column = \"c\", is = [\"8\"] } }";
    assert_eq!(
        value(fields, "metadata", "7"),
        Value::Json(json!({
            "text": "7", "number": 7, "day": "2018-02-26", "at": "2018-02-26T22:58:00Z", "is": true
        }))
    );
    assert_eq!(refusal(fields, "x"), "number: \"x\" is not a number");
}

#[test]
fn look_ups_wait_for_their_id() {
    let plan = companies(
        "parentId = { lookup = \"Company\", column = \"c\", deferred = true }\n\
         ownerId = { lookup = \"User\", by = \"email\", column = \"mail\", missing = \"null\" }",
    );
    let both = drawn(&plan, &[("c", "Golddex"), ("mail", "a@b.example")]).unwrap();
    let names: Vec<&str> = both.wanted.iter().map(|wanted| wanted.name.as_str()).collect();
    assert_eq!(names, ["a@b.example", "Golddex"]);
    assert_eq!(both.wanted[1].lookup.system.as_deref(), Some("s"));
    assert_eq!(both.wanted[0].lookup.system, None);
    let none = drawn(&plan, &[("c", ""), ("mail", " ")]).unwrap();
    assert!(none.wanted.is_empty());
    assert_eq!(none.values["parent_id"], Value::Null(NullOf::Id));
}

#[test]
fn conditions_ask_about_rows() {
    let plan = companies(
        "[step.count]\nempty = { column = \"c\", empty = true }\nis = { column = \"c\", is = [\"x\", \"y\"] }\n\
         not = { column = \"c\", not = \"x\" }\nknown = { column = \"c\", in_map = \"m\" }\n\
         both = { all = [{ column = \"c\", empty = false }, { column = \"id\", is = \"1\" }] }\n\
         either = { any = [{ column = \"c\", is = \"a\" }, { column = \"id\", is = \"2\" }] }\n\
         early = { column = \"d\", date = \"%d-%m-%Y\", before = { column = \"e\", date = \"%d-%m-%Y\" } }",
    );
    let met = |cells: &[(&str, &str)]| -> Vec<String> {
        let row = Row::of(cells);
        let counts = plan.steps[0].counts.iter();
        let met = counts.filter(|(_, condition)| is_met(condition, &row, ZONES));
        met.map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(met(&[("c", " "), ("id", "1")]), ["empty", "not"]);
    assert_eq!(met(&[("c", "x"), ("id", "1")]), ["both", "is"]);
    assert_eq!(met(&[("c", "a"), ("id", "2")]), ["either", "known", "not"]);
    assert_eq!(met(&[("c", "x"), ("d", "01-02-2018"), ("e", "02-02-2018")]), ["early", "is"]);
    assert_eq!(met(&[("c", "x"), ("d", "02-02-2018"), ("e", "02-02-2018")]), ["is"]);
    assert_eq!(met(&[("c", "x"), ("d", "nonsense"), ("e", "02-02-2018")]), ["is"]);
}

#[test]
fn all_mistakes_are_told_at_once_with_their_place() {
    let told = mistakes(
        r#"
        zone = "Mars/Olympus"
        colour = "red"
        [maps.m]
        a = 1.5
        [[step]]
        name = "one"
        file = "one.csv"
        record = "Company"
        key = ["cnpj"]
        [step.fields]
        externalId = "id"
        nme = "name"
        createdBy = "at"
        foundedYear = { column = "y", date = "%Y" }
        segment = { column = "s", map = "segments" }
        parentId = { lookup = "Compny", column = "p" }
        employees = { column = "e", value = 3 }
        tradeName = "{name"
        [step.count]
        odd = { column = "x" }
        [[step]]
        name = "two"
        record = "Deal"
        mode = "updat"
        "#,
    );
    for expected in [
        "m.toml: zone: unknown time zone \"Mars/Olympus\"",
        "m.toml: colour: is not known here",
        "m.toml: maps.m.\"a\": expected a text",
        "m.toml: step \"one\".fields.nme: Company has no field nme to set",
        "m.toml: step \"one\".fields.createdBy: Company has no field createdBy to set",
        "m.toml: step \"one\".fields.foundedYear.date: \"%Y\" is no date format",
        "m.toml: step \"one\".fields.segment.map: there is no [maps.segments]",
        "m.toml: step \"one\".fields.parentId.lookup: there is no record Compny",
        "m.toml: step \"one\".fields.employees: needs one of column, template",
        "m.toml: step \"one\".fields.tradeName: \"{name\" is no template",
        "m.toml: step \"one\".count.odd: needs one of empty, is, not",
        "m.toml: step \"one\".key: cnpj names a row: it must be among the fields",
        "m.toml: step \"one\".fields: Company.name is required",
        "m.toml: step \"two\".file: is missing",
        "m.toml: step \"two\".mode: expected upsert or update",
    ] {
        assert!(told.contains(expected), "{expected}\nnot in\n{told}");
    }
    assert!(mistakes("step = [").contains("m.toml: is not TOML"));
    assert!(mistakes("").contains("there is no [[step]] to do"));
}
