//! Groups -> JSON text.

use chrono::NaiveDate;

use super::super::write::write_items;
use super::fetch::FetchedGroups;
use super::keys::first_instant_of;
use super::{ConnectionItem, Groups, KeyItem, NodeItem};
use crate::db::Row;
use crate::error::{Error, Result};
use crate::record::cursor;
use crate::record::json::{push_bool, push_date, push_instant, push_int, push_text, write_value};
use crate::record::kind::Kind;
use crate::record::plan::PageInfoField;

/// Writes the connection.
pub fn write_groups(out: &mut Vec<u8>, plan: &Groups, fetched: &FetchedGroups) -> Result<()> {
    out.push(b'{');
    for (number, (key, item)) in plan.items.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        match item {
            ConnectionItem::Nodes(items) => {
                out.push(b'[');
                for (number, row) in fetched.rows.iter().enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    write_node(out, plan, items, row)?;
                }
                out.push(b']');
            }
            ConnectionItem::TotalCount => push_int(out, fetched.total.unwrap_or_default()),
            ConnectionItem::PageInfo(keys) => write_page_info(out, plan, fetched, keys)?,
            ConnectionItem::Literal(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
    out.push(b'}');
    Ok(())
}

fn write_node(
    out: &mut Vec<u8>,
    plan: &Groups,
    items: &[(Box<str>, NodeItem)],
    row: &Row,
) -> Result<()> {
    out.push(b'{');
    for (number, (key, item)) in items.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        match item {
            NodeItem::Key(keys) => {
                out.extend_from_slice(key.as_bytes());
                out.push(b'{');
                for (number, (key, item)) in keys.iter().enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(key.as_bytes());
                    match item {
                        KeyItem::Key(number) => write_key(out, plan, *number, row)?,
                        KeyItem::Literal(text) => out.extend_from_slice(text.as_bytes()),
                    }
                }
                out.push(b'}');
            }
            NodeItem::Literal(text) => {
                out.extend_from_slice(key.as_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            // Its single item brings its own key.
            NodeItem::Measures(shape) => write_items(out, shape, row, plan.keys.len())?,
        }
    }
    out.push(b'}');
    Ok(())
}

fn write_key(out: &mut Vec<u8>, plan: &Groups, number: usize, row: &Row) -> Result<()> {
    let key = plan.keys.get(number).ok_or_else(|| Error::internal("a group lost a key"))?;
    let Some((_, zone)) = &key.bucket else {
        let value = row.value(number, key.field.kind.bind())?;
        return write_value(out, &value, key.field.kind, "BRL");
    };
    let Some(text) = row.text(number)? else {
        out.extend_from_slice(b"null");
        return Ok(());
    };
    let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").map_err(Error::internal)?;
    if matches!(key.field.kind, Kind::Date) {
        push_date(out, date.signed_duration_since(NaiveDate::default()).num_days());
    } else {
        push_instant(out, first_instant_of(date, *zone).timestamp_micros());
    }
    Ok(())
}

fn write_page_info(
    out: &mut Vec<u8>,
    plan: &Groups,
    fetched: &FetchedGroups,
    keys: &[(Box<str>, PageInfoField)],
) -> Result<()> {
    let cursor_of = |row: Option<&Row>| -> Result<Option<String>> {
        let Some(row) = row else { return Ok(None) };
        let first = plan.keys.len() + plan.measures.0.len();
        let values = plan
            .order
            .iter()
            .enumerate()
            .map(|(number, key)| row.value(first + number, key.bind))
            .collect::<Result<Vec<_>>>()?;
        Ok(Some(cursor::encode(plan.fingerprint.searched(fetched.tier), &values)))
    };
    out.push(b'{');
    for (number, (key, field)) in keys.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        let cursor = match field {
            PageInfoField::HasNextPage => {
                push_bool(out, fetched.more);
                continue;
            }
            PageInfoField::HasPreviousPage => {
                push_bool(out, plan.cursor.is_some());
                continue;
            }
            PageInfoField::Typename => {
                push_text(out, "PageInfo");
                continue;
            }
            PageInfoField::StartCursor => cursor_of(fetched.rows.first())?,
            PageInfoField::EndCursor => cursor_of(fetched.rows.last())?,
        };
        match cursor {
            Some(cursor) => push_text(out, &cursor),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    Ok(())
}
