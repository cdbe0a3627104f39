//! Verification: everything that is sealed is computed again, in constant memory, and every place
//! where it does not agree is told. Entries that are not sealed yet are counted, and fine.
//!
//! What cannot be seen from inside is a chain that was cut at its end, or written anew from some
//! entry on, by somebody who also rewrote the head: for that an [`Anchor`], noted earlier and kept
//! elsewhere, is compared.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::chain::{Head, MonthSeal};
use super::store::{self, Found};
use crate::access::SystemHandle;
use crate::app::App;
use crate::error::Result;
use crate::limits;

/// A place of the chain with its hash, as an earlier verification printed it: `1234:0f3a…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    pub seq: i64,
    pub hash: String,
}

impl FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let wrong = || format!("\"{text}\" is not PLACE:HASH, as `pulso verify audit` prints it");
        let (seq, hash) = text.split_once(':').ok_or_else(wrong)?;
        let seq = seq.parse().map_err(|_not_a_number| wrong())?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Self { seq, hash: hash.to_ascii_lowercase() }).ok_or_else(wrong)
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// What was found in one tenant's trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that are sealed and were found.
    pub entries: i64,
    /// Entries that wait to be sealed.
    pub unsealed: i64,
    /// Entries whose personal values were erased, as the trail says.
    pub erased: i64,
    pub months: usize,
    /// The end of the chain; to be noted elsewhere.
    pub head: Option<Anchor>,
    /// The first places that do not agree.
    pub findings: Vec<String>,
    /// Findings beyond those.
    pub more: usize,
}

impl Report {
    pub fn agrees(&self) -> bool {
        self.findings.is_empty()
    }

    fn found(&mut self, finding: String) {
        if self.findings.len() < limits::AUDIT_FINDINGS_SHOWN {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

/// Computes a tenant's trail again. `anchors` are places that were noted earlier.
pub async fn verify(app: &App, tenant_id: Uuid, anchors: &[Anchor]) -> Result<Report> {
    let system = SystemHandle::for_tenant(tenant_id);
    // Head and months as of one moment; what is sealed later is for the next time.
    let conn = app.db.snapshot().await?;
    let head = store::head(&conn, &system, false).await?.unwrap_or_default();
    let months = store::months(&conn, &system).await?;
    let unsealed = store::count_unsealed(&conn, &system).await?;
    conn.commit().await?;
    let mut walk = Walk::new(tenant_id, &head, &months, anchors);
    walk.report.unsealed = unsealed;
    loop {
        // A connection for each part: a long trail must not hold one state of the database.
        let conn = app.db.single_read().await?;
        let (after, bounds) = (walk.last, (head.seq, limits::AUDIT_ENTRIES_PER_SEAL));
        let part = store::sealed_after(&conn, &system, after, bounds).await?;
        if part.is_empty() {
            break;
        }
        for found in &part {
            walk.step(found);
        }
        let suspects = walk.erased_in_part();
        if !suspects.is_empty() {
            let known = store::erasures(&conn, &system, asked(&suspects)).await?;
            walk.judge_erasures(&suspects, &known);
        }
    }
    walk.end(&head);
    walk.months(&head, &months);
    let conn = app.db.single_read().await?;
    if let (Some(highest), seq) = store::places(&conn, &system).await?
        && highest > seq.unwrap_or_default()
    {
        let end = seq.map_or("there is no head".to_owned(), |seq| format!("the head says {seq}"));
        walk.report.found(format!("an entry claims place {highest}, but {end}"));
    }
    Ok(walk.report)
}

/// An entry without its personal values: place, resource, id.
type Suspect = (i64, String, Option<Uuid>);

fn asked(suspects: &[Suspect]) -> (Vec<String>, Vec<Uuid>) {
    let mut resources: Vec<String> = suspects.iter().map(|(_, name, _)| name.clone()).collect();
    let mut ids: Vec<Uuid> = suspects.iter().filter_map(|(.., id)| *id).collect();
    resources.sort_unstable();
    resources.dedup();
    ids.sort_unstable();
    ids.dedup();
    (resources, ids)
}

/// The way along the chain, from its first entry to the head.
struct Walk<'a> {
    tenant_id: Uuid,
    report: Report,
    /// Place and id of the entry before.
    last: (i64, Uuid),
    /// Its hash; unknown behind a gap.
    previous: Option<Option<String>>,
    /// What must stand at a place: the hash, and who says so.
    expected: BTreeMap<i64, Vec<(&'a str, String)>>,
    erased: Vec<Suspect>,
}

impl<'a> Walk<'a> {
    fn new(
        tenant_id: Uuid,
        head: &'a Head,
        months: &'a [(MonthSeal, String)],
        anchors: &'a [Anchor],
    ) -> Self {
        let mut expected: BTreeMap<i64, Vec<(&str, String)>> = BTreeMap::new();
        if head.seq > 0 {
            let hash = head.hash.as_deref().unwrap_or_default();
            expected.entry(head.seq).or_default().push((hash, "the head".to_owned()));
        }
        for (month, _) in months {
            let who = format!("the seal of {}", month.month);
            expected.entry(month.last_seq).or_default().push((&month.last_hash, who));
        }
        for anchor in anchors {
            let who = "what was noted earlier".to_owned();
            expected.entry(anchor.seq).or_default().push((&anchor.hash, who));
        }
        Self {
            tenant_id,
            report: Report { months: months.len(), ..Report::default() },
            last: (0, Uuid::nil()),
            previous: Some(None),
            expected,
            erased: Vec::new(),
        }
    }

    fn step(&mut self, found: &Found) {
        let Found { id, seq, hash, .. } = found;
        let (seq, before) = (*seq, self.last);
        if seq == before.0 {
            let other = before.1;
            self.report.found(format!("entries {other} and {id} both claim place {seq}"));
            self.last = (seq, *id);
            return;
        }
        if seq > before.0 + 1 {
            self.missing(before.0 + 1, seq - 1);
            self.previous = None;
        }
        self.report.entries += 1;
        match &found.entry {
            Err(error) => {
                let cause = error.internal_cause().unwrap_or("it is not what we wrote");
                self.report.found(format!("entry {seq} ({id}) cannot be read: {cause}"));
            }
            Ok(entry) => {
                let fits = self.previous.as_ref().is_none_or(|previous| {
                    let computed = entry.hash(self.tenant_id, seq, previous.as_deref());
                    hash.as_deref() == Some(computed.as_str())
                });
                if !fits {
                    self.report.found(format!(
                        "entry {seq} ({id}, {} of {}) does not match its hash: it was changed or moved, \
                         or the hash before it was",
                        entry.action, entry.resource_type
                    ));
                }
                for misfit in entry.misfits() {
                    self.report.found(format!(
                        "entry {seq} ({id}): the personal value {misfit} does not match its digest"
                    ));
                }
                if entry.is_erased() {
                    self.erased.push((seq, entry.resource_type.clone(), entry.resource_id));
                }
            }
        }
        for (wanted, who) in self.expected.remove(&seq).unwrap_or_default() {
            if hash.as_deref() != Some(wanted) {
                self.report
                    .found(format!("entry {seq} ({id}) does not have the hash that {who} names"));
            }
        }
        self.previous = Some(hash.clone());
        self.last = (seq, *id);
    }

    fn missing(&mut self, first: i64, last: i64) {
        self.report.found(if first == last {
            format!("entry {first} is missing")
        } else {
            format!("entries {first} to {last} are missing")
        });
    }

    fn erased_in_part(&mut self) -> Vec<Suspect> {
        std::mem::take(&mut self.erased)
    }

    /// Personal values may be gone only where the trail says, later, that they were erased.
    fn judge_erasures(&mut self, suspects: &[Suspect], known: &[(String, Uuid, Option<i64>)]) {
        let mut latest: HashMap<(&str, Uuid), i64> = HashMap::new();
        for (resource, id, seq) in known {
            let place = latest.entry((resource, *id)).or_default();
            *place = (*place).max(seq.unwrap_or(i64::MAX));
        }
        for (seq, resource, id) in suspects {
            let erased_at = id.and_then(|id| latest.get(&(resource.as_str(), id)).copied());
            if erased_at.is_some_and(|at| at >= *seq) {
                self.report.erased += 1;
            } else {
                let id = id.map(|id| id.to_string()).unwrap_or_default();
                self.report.found(format!(
                    "entry {seq}: its personal values are gone, but no erasure of {resource} {id} is \
                     in the trail"
                ));
            }
        }
    }

    fn end(&mut self, head: &Head) {
        if head.seq > self.last.0 {
            self.missing(self.last.0 + 1, head.seq);
        }
        self.report.head = head
            .hash
            .as_ref()
            .filter(|_| head.seq > 0)
            .map(|hash| Anchor { seq: head.seq, hash: hash.clone() });
        // What nobody stands at any more. Entries that are missing were told of already.
        for (seq, wanted) in std::mem::take(&mut self.expected) {
            for (_, who) in wanted.into_iter().filter(|_| seq > head.seq || seq < 1) {
                self.report.found(format!("{who} names place {seq}, beyond the chain's end"));
            }
        }
    }

    /// The months one after the other, and the head beside the last.
    fn months(&mut self, head: &Head, months: &[(MonthSeal, String)]) {
        let mut previous: Option<&(MonthSeal, String)> = None;
        for month in months {
            let (seal, hash) = month;
            let name = &seal.month;
            if seal.hash(self.tenant_id) != *hash {
                self.report.found(format!("the seal of {name} does not match its hash"));
            }
            let first = previous.map_or(1, |(before, _)| before.last_seq + 1);
            let follows = previous.map(|(_, hash)| hash) == seal.previous_hash.as_ref();
            if seal.first_seq != first || !follows {
                self.report.found(format!(
                    "the seal of {name} does not follow the one before it: one was changed or is \
                     missing"
                ));
            }
            previous = Some(month);
        }
        let last = previous.map(|(_, hash)| hash);
        if head.month_hash.as_ref() != last {
            self.report.found("the head does not name the last month's seal".to_owned());
        }
        let first = previous.map_or(1, |(before, _)| before.last_seq + 1);
        if head.month.is_some() && head.month_first_seq != first {
            self.report
                .found("the head's open month does not begin after the last seal".to_owned());
        }
    }
}
