//! All records of all rooms, and what each root field means.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::record::Record;
use crate::record::change::mutation::WriteKind;
use crate::record::change::verb::Verb;
use crate::record::operation::ReadKind;
use crate::{analytics, crm, goals, identity, jobs};

/// What a root field of the engine stands for.
#[derive(Clone, Copy)]
pub struct Entry<K> {
    pub record: &'static Record,
    pub kind: K,
}

/// What a root field of the mutation type stands for.
#[derive(Clone, Copy)]
pub enum Write {
    Engine(Entry<WriteKind>),
    Verb(&'static Verb),
}

/// The records of the schema and their root fields.
pub struct Catalogue {
    pub records: Vec<&'static Record>,
    reads: HashMap<String, Entry<ReadKind>>,
    writes: HashMap<String, Write>,
}

impl Catalogue {
    pub fn read(&self, field: &str) -> Option<Entry<ReadKind>> {
        self.reads.get(field).copied()
    }

    pub fn write(&self, field: &str) -> Option<Write> {
        self.writes.get(field).copied()
    }

    /// The record of a GraphQL type name.
    pub fn record(&self, name: &str) -> Option<&'static Record> {
        self.records.iter().copied().find(|record| record.name == name)
    }
}

/// The one catalogue of this binary.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(build);
    &CATALOGUE
}

fn build() -> Catalogue {
    let mut records = crm::records();
    records.extend(goals::records());
    records.extend(analytics::records());
    records.extend(jobs::records());
    records.extend(identity::records());
    let mut reads = HashMap::new();
    let mut writes = HashMap::new();
    for record in &records {
        let entry = |kind| Entry { record, kind };
        reads.insert(record.plural.to_owned(), entry(ReadKind::List));
        for kind in WriteKind::ALL.into_iter().filter(|kind| kind.fits(record)) {
            let name = format!("{}{}", record.singular, kind.suffix());
            writes.insert(name, Write::Engine(Entry { record, kind }));
        }
        for verb in record.changes.verbs {
            writes.insert(verb.name.to_owned(), Write::Verb(verb));
        }
        if record.is_virtual() {
            continue;
        }
        reads.insert(record.singular.to_owned(), entry(ReadKind::One));
        reads.insert(format!("{}Aggregate", record.singular), entry(ReadKind::Aggregate));
        reads.insert(format!("{}Groups", record.singular), entry(ReadKind::Groups));
    }
    Catalogue { records, reads, writes }
}
