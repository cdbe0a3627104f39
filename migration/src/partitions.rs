//! The months of partitioned tables, as pure functions. A partition holds the ids of one month: a
//! UUID v7 begins with 48 bits of milliseconds, so a month is a range of ids, and a back-dated row
//! with a back-dated id falls into the month in which it happened.
//!
//! No SQL here runs by itself: the server makes months ahead (`db/partitions.rs`).

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use uuid::Uuid;

/// The tables that are cut by month where the database can.
pub const PARTITIONED_TABLES: [&str; 4] =
    ["audit_logs", "events", "lead_interactions", "read_logs"];

/// A calendar month in UTC, not before January 1970, where UUID v7 begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    /// 1 to 12.
    month: u32,
}

const FIRST_MONTH: Month = Month { year: 1970, month: 1 };

impl Month {
    /// `None` when there is no such month, or none that ids can carry.
    pub fn new(year: i32, month: u32) -> Option<Self> {
        let this = Self { year, month };
        let known = (1..=12).contains(&month) && this >= FIRST_MONTH && year <= 9999;
        known.then_some(this)
    }

    /// The month an instant falls into; instants that ids cannot carry fall into the first.
    pub fn of(at: DateTime<Utc>) -> Self {
        Self::new(at.year(), at.month()).unwrap_or(FIRST_MONTH)
    }

    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { month: self.month + 1, ..self }
        }
    }

    #[must_use]
    pub fn previous(self) -> Self {
        let before = if self.month == 1 {
            Self { year: self.year - 1, month: 12 }
        } else {
            Self { month: self.month - 1, ..self }
        };
        before.max(FIRST_MONTH)
    }

    /// Document 2's pattern: `audit_logs_2026_01`.
    pub fn partition_name(self, table: &str) -> String {
        format!("{table}_{:04}_{:02}", self.year, self.month)
    }

    /// The ids of this month: from the first, inclusive, to the second, exclusive.
    pub fn bounds(self) -> (Uuid, Uuid) {
        (self.first_id(), self.next().first_id())
    }

    /// The smallest id of the month: its first millisecond, all other bits zero, version and variant
    /// too, so that it sorts before every real id of that millisecond.
    fn first_id(self) -> Uuid {
        let start = NaiveDate::from_ymd_opt(self.year, self.month, 1)
            .map_or(0, |date| date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis());
        let millis = u128::try_from(start).unwrap_or_default();
        Uuid::from_u128(millis << 80)
    }
}

/// As [`Month::bounds`]; `None` when there is no such month.
pub fn month_bounds(year: i32, month: u32) -> Option<(Uuid, Uuid)> {
    Month::new(year, month).map(Month::bounds)
}

/// The statement that makes the partition of `table` for a month, if it is missing.
pub fn create_partition_sql(table: &str, month: Month) -> String {
    let (from, to) = month.bounds();
    let name = month.partition_name(table);
    format!(
        "CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{from}') TO ('{to}')"
    )
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use uuid::Builder;

    use super::*;

    fn id_at(at: DateTime<Utc>, random: u8) -> Uuid {
        let millis = u64::try_from(at.timestamp_millis()).unwrap();
        Builder::from_unix_timestamp_millis(millis, &[random; 10]).into_uuid()
    }

    #[test]
    fn a_month_holds_its_first_and_last_millisecond_and_no_other() {
        for (year, month, next_year, next_month) in [(2026, 2, 2026, 3), (2026, 12, 2027, 1)] {
            let (from, to) = month_bounds(year, month).unwrap();
            let first = Utc.with_ymd_and_hms(year, month, 1, 0, 0, 0).unwrap();
            let end = Utc.with_ymd_and_hms(next_year, next_month, 1, 0, 0, 0).unwrap();
            let millisecond = chrono::TimeDelta::milliseconds(1);
            for random in [0, 0xff] {
                assert!(id_at(first, random) >= from && id_at(first, random) < to);
                let last = id_at(end - millisecond, random);
                assert!(last >= from && last < to);
                assert!(id_at(first - millisecond, random) < from);
                assert!(id_at(end, random) >= to);
            }
        }
    }

    #[test]
    fn months_touch_without_gap_or_overlap() {
        let mut month = FIRST_MONTH;
        for _ in 0..1200 {
            assert_eq!(month.bounds().1, month.next().bounds().0);
            assert_eq!(month.next().previous(), month);
            month = month.next();
        }
    }

    #[test]
    fn what_is_no_month_is_refused() {
        assert_eq!(month_bounds(2026, 0), None);
        assert_eq!(month_bounds(2026, 13), None);
        assert_eq!(month_bounds(1969, 12), None);
        assert_eq!(Month::of(DateTime::from_timestamp_millis(-1).unwrap()), FIRST_MONTH);
        assert_eq!(FIRST_MONTH.previous(), FIRST_MONTH);
    }

    #[test]
    fn partitions_are_named_by_year_and_month() {
        let month = Month::of(Utc.with_ymd_and_hms(2026, 2, 28, 23, 59, 59).unwrap());
        let sql = create_partition_sql("audit_logs", month);
        assert!(sql.contains("IF NOT EXISTS audit_logs_2026_02 PARTITION OF audit_logs"), "{sql}");
    }
}
