//! All records of all rooms, and what each root field means.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::record::Record;
use crate::record::operation::ReadKind;
use crate::{crm, identity};

/// What a root field of the engine stands for.
#[derive(Clone, Copy)]
pub struct Entry {
    pub record: &'static Record,
    pub kind: ReadKind,
}

/// The records of the schema and their root fields.
pub struct Catalogue {
    pub records: Vec<&'static Record>,
    reads: HashMap<String, Entry>,
}

impl Catalogue {
    pub fn read(&self, field: &str) -> Option<Entry> {
        self.reads.get(field).copied()
    }
}

/// The one catalogue of this binary.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(build);
    &CATALOGUE
}

fn build() -> Catalogue {
    let mut records = crm::records();
    records.extend(identity::records());
    let mut reads = HashMap::new();
    for record in &records {
        let entry = |kind| Entry { record, kind };
        reads.insert(record.plural.to_owned(), entry(ReadKind::List));
        if record.is_virtual() {
            continue;
        }
        reads.insert(record.singular.to_owned(), entry(ReadKind::One));
        reads.insert(format!("{}Aggregate", record.singular), entry(ReadKind::Aggregate));
        reads.insert(format!("{}Groups", record.singular), entry(ReadKind::Groups));
    }
    Catalogue { records, reads }
}
