//! What the chain is made of, as bytes: the hash of an entry after the one before it, and the hash
//! of a month. Nothing here waits for anything; `docs/audit.md` tells the same to people.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::canonical;
use super::entry::{SIDES, digest};

/// An entry as it stands in its table.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    pub(super) id: Uuid,
    pub(super) user_id: Option<Uuid>,
    pub(super) api_key_id: Option<Uuid>,
    pub(super) action: String,
    pub(super) resource_type: String,
    pub(super) resource_id: Option<Uuid>,
    pub(super) old_values: Option<Json>,
    pub(super) new_values: Option<Json>,
    pub(super) digests: Option<Json>,
    pub(super) personal: Option<Json>,
    pub(super) ip_address: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) created_at: DateTime<Utc>,
}

impl Logged {
    /// The hash of this entry at its place, after the one whose hash is `previous`.
    pub(super) fn hash(&self, tenant_id: Uuid, seq: i64, previous: Option<&str>) -> String {
        canonical::digest(&json!({
            "action": self.action,
            "api_key_id": self.api_key_id,
            "chain_seq": seq,
            "created_at": self.created_at.to_rfc3339_opts(SecondsFormat::Nanos, true),
            "digests": self.digests,
            "id": self.id,
            "ip_address": self.ip_address,
            "new_values": self.new_values,
            "old_values": self.old_values,
            "previous_hash": previous,
            "request_id": self.request_id,
            "resource_id": self.resource_id,
            "resource_type": self.resource_type,
            "tenant_id": tenant_id,
            "user_agent": self.user_agent,
            "user_id": self.user_id,
        }))
    }

    /// Personal values that do not fit their digests, as `old.email`.
    pub(super) fn misfits(&self) -> Vec<String> {
        let Some(personal) = &self.personal else { return Vec::new() };
        let salt = personal.get("salt").and_then(Json::as_str).unwrap_or_default();
        let mut misfits = Vec::new();
        for side in SIDES {
            let part = |of: Option<&Json>| {
                of.and_then(|json| json.get(side)).and_then(Json::as_object).cloned()
            };
            let values = part(Some(personal)).unwrap_or_default();
            let digests = part(self.digests.as_ref()).unwrap_or_default();
            let fits = |field: &String, value: &Json| {
                digests.get(field).and_then(Json::as_str)
                    == Some(digest(salt, side, field, value).as_str())
            };
            let wrong = values.iter().filter(|(field, value)| !fits(field, value));
            misfits.extend(wrong.map(|(field, _)| format!("{side}.{field}")));
            let gone = digests.keys().filter(|field| !values.contains_key(*field));
            misfits.extend(gone.map(|field| format!("{side}.{field}")));
        }
        misfits
    }

    /// Whether there were personal values that are there no more.
    pub(super) fn is_erased(&self) -> bool {
        self.digests.is_some() && self.personal.is_none()
    }
}

/// A month that is closed: the part of the chain that was sealed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MonthSeal {
    /// `2026-03`, UTC.
    pub(super) month: String,
    pub(super) first_seq: i64,
    pub(super) last_seq: i64,
    /// The hash of the entry at `last_seq`.
    pub(super) last_hash: String,
    /// The hash of the month before.
    pub(super) previous_hash: Option<String>,
}

impl MonthSeal {
    pub(super) fn hash(&self, tenant_id: Uuid) -> String {
        canonical::digest(&json!({
            "first_seq": self.first_seq,
            "last_hash": self.last_hash,
            "last_seq": self.last_seq,
            "month": self.month,
            "previous_hash": self.previous_hash,
            "tenant_id": tenant_id,
        }))
    }
}

/// Where a tenant's chain ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The place of the last entry; 0 before the first.
    pub(super) seq: i64,
    pub(super) hash: Option<String>,
    /// The month that entries are being sealed in, until it is closed.
    pub(super) month: Option<String>,
    /// The place of that month's first entry.
    pub(super) month_first_seq: i64,
    /// The hash of the last month that was closed.
    pub(super) month_hash: Option<String>,
}

impl Head {
    /// The open month, closed, when it is over.
    pub(super) fn close_month(&mut self, now: &str) -> Option<MonthSeal> {
        if self.month.as_deref().is_none_or(|month| month >= now) {
            return None;
        }
        let seal = MonthSeal {
            month: self.month.take()?,
            first_seq: self.month_first_seq,
            last_seq: self.seq,
            last_hash: self.hash.clone()?,
            previous_hash: self.month_hash.clone(),
        };
        Some(seal)
    }

    /// Puts an entry at the end; gives its place and hash.
    pub(super) fn append(&mut self, tenant_id: Uuid, entry: &Logged, now: &str) -> (i64, String) {
        self.seq += 1;
        let hash = entry.hash(tenant_id, self.seq, self.hash.as_deref());
        self.hash = Some(hash.clone());
        if self.month.is_none() {
            self.month = Some(now.to_owned());
            self.month_first_seq = self.seq;
        }
        (self.seq, hash)
    }
}

/// `2026-03`, UTC.
pub(super) fn month_of(at: DateTime<Utc>) -> String {
    at.format("%Y-%m").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged() -> Logged {
        Logged {
            id: Uuid::from_u128(1),
            user_id: None,
            api_key_id: None,
            action: "lead.create".to_owned(),
            resource_type: "leads".to_owned(),
            resource_id: Some(Uuid::from_u128(2)),
            old_values: None,
            new_values: Some(json!({ "score": 5 })),
            digests: None,
            personal: None,
            ip_address: None,
            user_agent: None,
            request_id: Some("request".to_owned()),
            created_at: DateTime::from_timestamp_millis(1_772_000_000_123).unwrap(),
        }
    }

    /// The example of `docs/audit.md`, computed there by hand.
    #[test]
    fn the_documented_example() {
        let hash = logged().hash(Uuid::from_u128(100), 1, None);
        let document = include_str!("../../../docs/audit.md");
        assert!(document.contains(&hash), "docs/audit.md does not name {hash}");
    }

    #[test]
    fn every_part_of_an_entry_counts() {
        let tenant = Uuid::from_u128(100);
        let mut seen = vec![logged().hash(tenant, 1, None)];
        let changes: [fn(&mut Logged); 13] = [
            |entry| entry.id = Uuid::from_u128(9),
            |entry| entry.user_id = Some(Uuid::nil()),
            |entry| entry.api_key_id = Some(Uuid::nil()),
            |entry| entry.action = "lead.update".to_owned(),
            |entry| entry.resource_type = "deals".to_owned(),
            |entry| entry.resource_id = None,
            |entry| entry.old_values = Some(json!({})),
            |entry| entry.new_values = Some(json!({ "score": 6 })),
            |entry| entry.digests = Some(json!({})),
            |entry| entry.ip_address = Some("::1".to_owned()),
            |entry| entry.user_agent = Some(String::new()),
            |entry| entry.request_id = None,
            |entry| entry.created_at += chrono::TimeDelta::nanoseconds(1),
        ];
        for change in changes {
            let mut entry = logged();
            change(&mut entry);
            seen.push(entry.hash(tenant, 1, None));
        }
        seen.push(logged().hash(Uuid::nil(), 1, None));
        seen.push(logged().hash(tenant, 2, None));
        seen.push(logged().hash(tenant, 1, Some("before")));
        let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
    }

    #[test]
    fn a_month_is_closed_when_it_is_over_and_only_then() {
        let mut head = Head::default();
        assert_eq!(head.close_month("2026-03"), None);
        head.append(Uuid::nil(), &logged(), "2026-03");
        head.append(Uuid::nil(), &logged(), "2026-03");
        assert_eq!(head.close_month("2026-03"), None);
        // A node whose clock is behind closes nothing.
        assert_eq!(head.close_month("2026-02"), None);
        let seal = head.close_month("2026-05").unwrap();
        assert_eq!((seal.month.as_str(), seal.first_seq, seal.last_seq), ("2026-03", 1, 2));
        assert_eq!(head.close_month("2026-06"), None);
        head.month_hash = Some(seal.hash(Uuid::nil()));
        head.append(Uuid::nil(), &logged(), "2026-06");
        assert_eq!((head.month.as_deref(), head.month_first_seq), (Some("2026-06"), 3));
    }
}
