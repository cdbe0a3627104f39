//! Selection -> groups.

use async_graphql::Value as Input;
use uuid::Uuid;

use super::super::plan::Measures;
use super::compare::Comparisons;
use super::keys::read_key;
use super::{ConnectionItem, GroupKey, Groups, KeyItem, NodeItem};
use crate::error::{Error, Result, say};
use crate::limits;
use crate::record::cursor::{self, Fingerprint};
use crate::record::declare::Record;
use crate::record::filter;
use crate::record::input;
use crate::record::page::PageRequest;
use crate::record::plan::{Planner, json_key, json_text, page_info_keys};
use crate::record::selection::Selected;

impl Planner<'_> {
    /// Plans `leadGroups`.
    pub fn groups(&mut self, record: &'static Record, selected: &Selected) -> Result<Groups> {
        let mut base = self.aggregate_base(record, selected)?;
        let keys = self.group_keys(record, selected)?;
        let reader = self.reader(record)?;
        let mut measures = Measures::default();
        let mut comparisons = Comparisons {
            record,
            reader: &reader,
            keys: &keys,
            measures: &mut measures,
            one_currency: Vec::new(),
        };
        let having = match selected.argument("having") {
            Some(having) => comparisons.having(having).map_err(|error| error.at("having"))?,
            None => Vec::new(),
        };
        let items = selected.argument("orderBy").map(input::read_list).unwrap_or_default();
        if items.len() > limits::ORDER_KEYS_MAX {
            let max = limits::ORDER_KEYS_MAX;
            return Err(Error::limit(say(
                format!("orderBy takes at most {max} keys"),
                format!("orderBy aceita no máximo {max} chaves"),
            )));
        }
        let order = comparisons.order(items).map_err(|error| error.at("orderBy"))?;
        let one_currency = comparisons.one_currency;
        let page = PageRequest::read(|name| selected.argument(name).cloned())?;
        let fingerprint = fingerprint(self.ctx().tenant_id(), record, selected);
        let mut cursor = None;
        if let Some(text) = &page.cursor {
            let (values, tier) =
                cursor::decode(fingerprint, &order, text).map_err(|error| error.at("after"))?;
            cursor = Some(values);
            if let Some(search) = &mut base.search {
                search.decided = Some(tier);
            }
        }
        self.spend_rows(1, page.rows)?;
        let mut groups = Groups {
            base,
            keys,
            measures,
            having,
            order,
            one_currency,
            page,
            cursor,
            fingerprint,
            items: Vec::new(),
            wants_rows: false,
            wants_total: false,
        };
        self.group_connection(record, &mut groups, &selected.children)?;
        Ok(groups)
    }

    fn group_keys(
        &mut self,
        record: &'static Record,
        selected: &Selected,
    ) -> Result<Vec<GroupKey>> {
        let reader = self.reader(record)?;
        let items = selected.argument("by").map(input::read_list).unwrap_or_default();
        if items.is_empty() || items.len() > limits::GROUP_KEYS_MAX {
            let max = limits::GROUP_KEYS_MAX;
            return Err(Error::invalid_field(
                "by",
                say(format!("by takes 1 to {max} fields"), format!("by aceita 1 a {max} campos")),
            ));
        }
        let mut keys: Vec<GroupKey> = Vec::with_capacity(items.len());
        for item in items {
            let key = read_key(record, item, self.ctx().actor.tenant.time_zone)
                .map_err(|error| error.at("by"))?;
            filter::allow_field(&reader, key.field)?;
            if keys.iter().any(|known| known.field.name == key.field.name) {
                return Err(Error::invalid_field(
                    "by",
                    say("a field is grouped by once", "um campo só agrupa uma vez"),
                ));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    fn group_connection(
        &mut self,
        record: &'static Record,
        groups: &mut Groups,
        selection: &[Selected],
    ) -> Result<()> {
        for selected in selection {
            self.enter(selected);
            let item = match selected.name.as_str() {
                "nodes" => {
                    groups.wants_rows = true;
                    ConnectionItem::Nodes(self.group_node(record, groups, &selected.children)?)
                }
                "totalCount" => {
                    groups.wants_total = true;
                    ConnectionItem::TotalCount
                }
                "pageInfo" => {
                    groups.wants_rows = true;
                    ConnectionItem::PageInfo(page_info_keys(selected))
                }
                _ => ConnectionItem::Literal(json_text(&format!("{}GroupConnection", record.name))),
            };
            groups.items.push((json_key(&selected.key), item));
            self.leave();
        }
        Ok(())
    }

    fn group_node(
        &mut self,
        record: &'static Record,
        groups: &mut Groups,
        selection: &[Selected],
    ) -> Result<Vec<(Box<str>, NodeItem)>> {
        let grouped: Vec<&'static str> = groups.keys.iter().map(|key| key.field.column).collect();
        let name = format!("{}Group", record.name);
        let mut items = Vec::with_capacity(selection.len());
        for selected in selection {
            self.enter(selected);
            let item = match selected.name.as_str() {
                "key" => NodeItem::Key(key_items(record, &groups.keys, &selected.children)?),
                "__typename" => NodeItem::Literal(json_text(&name)),
                _ => {
                    // One measure at a time, so that response order is kept.
                    self.leave();
                    let shape = self.aggregate_shape(
                        record,
                        &mut groups.measures,
                        std::slice::from_ref(selected),
                        (&grouped, &name),
                    )?;
                    self.enter(selected);
                    NodeItem::Measures(shape)
                }
            };
            items.push((json_key(&selected.key), item));
            self.leave();
        }
        Ok(items)
    }
}

/// What makes this list of groups itself: its cursors work in no other.
fn fingerprint(tenant_id: Uuid, record: &Record, selected: &Selected) -> Fingerprint {
    let text = |name: &str| selected.argument(name).map(Input::to_string).unwrap_or_default();
    let arguments = ["by", "filter", "search", "deleted", "having", "orderBy"].map(text);
    let tenant = tenant_id.to_string();
    let mut parts = vec![tenant.as_str(), record.name, "groups"];
    parts.extend(arguments.iter().map(String::as_str));
    Fingerprint::of(&parts)
}

fn key_items(
    record: &Record,
    keys: &[GroupKey],
    selection: &[Selected],
) -> Result<Vec<(Box<str>, KeyItem)>> {
    selection
        .iter()
        .map(|selected| {
            let name = selected.name.as_str();
            let item = if name == "__typename" {
                KeyItem::Literal(json_text(&format!("{}GroupKey", record.name)))
            } else {
                let number = keys.iter().position(|key| key.field.name == name);
                KeyItem::Key(number.ok_or_else(|| {
                    Error::invalid_field(
                        name.to_owned(),
                        say(
                            format!("{name} is not among the fields grouped by"),
                            format!("{name} não está entre os campos agrupados"),
                        ),
                    )
                })?)
            };
            Ok((json_key(&selected.key), item))
        })
        .collect()
}
