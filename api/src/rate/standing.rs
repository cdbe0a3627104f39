//! What a caller has left, for the header and the schema.

use std::fmt::Write as _;
use std::time::Duration;

use super::bucket::Bucket;
use super::quota::Quota;

/// At most a key, a user and a tenant.
const STANDINGS_MAX: usize = 3;

/// What is left in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub bucket: Bucket,
    pub limit: u64,
    pub remaining: u64,
    /// Until all points are there again.
    pub full_in: Duration,
    window_s: u64,
}

impl Standing {
    pub(super) fn of(bucket: Bucket, quota: Quota, remaining: u64) -> Self {
        Self {
            bucket,
            limit: quota.limit(),
            remaining,
            full_in: quota.until_full(remaining),
            window_s: quota.window_s(),
        }
    }
}

/// What is left in each bucket that holds for a caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standings([Option<Standing>; STANDINGS_MAX]);

impl Standings {
    /// A later standing of a bucket replaces the one before.
    pub(super) fn add(&mut self, standing: Standing) {
        let place = self
            .0
            .iter_mut()
            .find(|known| known.is_none_or(|known| known.bucket == standing.bucket));
        if let Some(place) = place {
            *place = Some(standing);
        }
    }

    /// These, with what `later` knows better.
    pub fn updated_by(&mut self, later: &Self) {
        for standing in later.each() {
            self.add(standing);
        }
    }

    pub fn each(&self) -> impl Iterator<Item = Standing> + '_ {
        self.0.iter().copied().flatten()
    }

    /// The bucket that will be empty first.
    pub fn tightest(&self) -> Option<Standing> {
        // A limit is far below 2^32, so the products fit.
        let fuller = |a: &Standing, b: &Standing| {
            let (left, right) =
                (a.remaining.saturating_mul(b.limit), b.remaining.saturating_mul(a.limit));
            left.cmp(&right)
        };
        self.each().min_by(fuller)
    }

    /// The value of `RateLimit-Policy`: `"key";q=6000000;w=60, …` (IETF draft of September 2025).
    pub fn policy_header(&self) -> String {
        self.listed(|text, standing| {
            let (limit, window_s) = (standing.limit, standing.window_s);
            write!(text, "\"{}\";q={limit};w={window_s}", standing.bucket.as_str())
        })
    }

    /// The value of `RateLimit`: `"key";r=5999999;t=1, …`; `t` is when all points are back.
    pub fn header(&self) -> String {
        self.listed(|text, standing| {
            let full_in_s = standing.full_in.as_millis().div_ceil(1000);
            let name = standing.bucket.as_str();
            write!(text, "\"{name}\";r={};t={full_in_s}", standing.remaining)
        })
    }

    fn listed(&self, write_one: impl Fn(&mut String, Standing) -> std::fmt::Result) -> String {
        let mut text = String::with_capacity(96);
        for standing in self.each() {
            if !text.is_empty() {
                text.push_str(", ");
            }
            if write_one(&mut text, standing).is_err() {
                break;
            }
        }
        text
    }
}
