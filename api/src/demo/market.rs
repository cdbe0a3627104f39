//! Who sells and who may buy: offices and colleagues, companies and the people in them.

use chrono::{DateTime, Datelike, Utc};
use entity::value::cnpj::Cnpj;
use entity::value::fold;

use super::dice::{Calendar, Dice};
use super::words::{
    CITIES, COMPANY_WORDS, FIRST_NAMES, JOBS, LAST_NAMES, SEGMENTS, SOURCES, STREETS,
};

/// Colleagues of this index and above sell.
pub(super) const FIRST_SELLER: usize = 3;
const COLLEAGUES: usize = 8;
/// Colleagues who lead: the first all of them, the next two one office each.
const MANAGERS: [Option<usize>; COLLEAGUES] =
    [None, Some(0), Some(0), Some(1), Some(1), Some(1), Some(2), Some(2)];
const OFFICE_OF: [usize; COLLEAGUES] = [0, 1, 2, 1, 1, 3, 2, 2];

/// Name, code, and the office it belongs to.
pub(super) const OFFICES: [(&str, &str, Option<usize>); 4] = [
    ("Comercial", "COM", None),
    ("Escritório São Paulo", "SP", Some(0)),
    ("Escritório Rio de Janeiro", "RJ", Some(0)),
    ("Escritório Curitiba", "CWB", Some(0)),
];

const FIRMS: usize = 46;
/// Roots of numbers that are ours to use, from 90,000,000 on.
const ROOTS: usize = 999_983;
/// How many of them have a number of the new form, with letters.
const ALPHANUMERIC_EVERY: usize = 12;
/// Every so many belongs to the one before it.
const SUBSIDIARY_EVERY: usize = 9;

pub(super) struct Colleague {
    pub(super) name: String,
    /// The part before the @.
    pub(super) mailbox: String,
    pub(super) role: &'static str,
    pub(super) manager: Option<usize>,
    pub(super) office: usize,
}

pub(super) struct Firm {
    pub(super) name: String,
    pub(super) trade_name: String,
    pub(super) cnpj: String,
    pub(super) segment: &'static str,
    pub(super) size: Size,
    pub(super) source: &'static str,
    /// Of its web site and its people's e-mail.
    pub(super) domain: String,
    pub(super) street: String,
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) zip: String,
    pub(super) area_code: &'static str,
    pub(super) employees: i64,
    /// In whole units of the tenant's currency.
    pub(super) revenue: i64,
    pub(super) founded: i64,
    pub(super) parent: Option<usize>,
    pub(super) owner: usize,
    pub(super) created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Size {
    #[default]
    Micro,
    Small,
    Medium,
    Large,
}

impl Size {
    pub(super) fn stored(self) -> &'static str {
        match self {
            Self::Micro => "micro",
            Self::Small => "pequena",
            Self::Medium => "media",
            Self::Large => "grande",
        }
    }

    fn employees(self) -> (i64, i64) {
        match self {
            Self::Micro => (2, 9),
            Self::Small => (10, 49),
            Self::Medium => (50, 249),
            Self::Large => (250, 2_400),
        }
    }

    /// What it spends, in per cent of a small company.
    pub(super) fn spends(self) -> i64 {
        match self {
            Self::Micro => 60,
            Self::Small => 100,
            Self::Medium => 160,
            Self::Large => 260,
        }
    }
}

pub(super) struct Person {
    pub(super) firm: usize,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) job: &'static str,
    pub(super) department: &'static str,
    pub(super) decides: bool,
    pub(super) created_at: DateTime<Utc>,
}

/// The same people for every part of one seed.
pub(super) fn colleagues(dice: &mut Dice) -> Vec<Colleague> {
    let mut known: Vec<String> = Vec::new();
    MANAGERS
        .iter()
        .zip(OFFICE_OF)
        .enumerate()
        .map(|(number, (manager, office))| {
            let mut name = person_name(dice);
            while known.contains(&mailbox(&name)) {
                name = person_name(dice);
            }
            known.push(mailbox(&name));
            let role = if number == 0 { "diretor" } else { "comercial" };
            Colleague { mailbox: mailbox(&name), name, role, manager: *manager, office }
        })
        .collect()
}

pub(super) fn seller(dice: &mut Dice) -> usize {
    FIRST_SELLER + dice.below(COLLEAGUES - FIRST_SELLER)
}

/// Which companies are made: seeds begin their numbers at different places.
#[derive(Clone, Copy)]
pub(super) struct Serials {
    first: usize,
    part: usize,
}

impl Serials {
    pub(super) fn new(seed: u64, part: usize) -> Self {
        Self { first: Dice::new(seed, u64::MAX).below(ROOTS), part }
    }
}

pub(super) fn firms(dice: &mut Dice, calendar: Calendar, serials: Serials) -> Vec<Firm> {
    (0..FIRMS).map(|number| firm(dice, calendar, serials, number)).collect()
}

fn firm(dice: &mut Dice, calendar: Calendar, serials: Serials, number: usize) -> Firm {
    let (segment, _) = dice.pick(&SEGMENTS);
    let trade_name = company_name(dice, segment);
    let (city, state, area_code, zip) = dice.weighed(&CITIES);
    let size = dice.weighed(&[
        (Size::Micro, 18),
        (Size::Small, 40),
        (Size::Medium, 30),
        (Size::Large, 12),
    ]);
    let (least, most) = size.employees();
    let employees = dice.between(least, most);
    let legal_form = if size == Size::Large { "S.A." } else { "Ltda" };
    let founded = i64::from(calendar.now.year()) - dice.between(2, 45);
    let serial = serials.part * FIRMS + number;
    // Companies come first: those who buy are known before they do.
    let days = dice.between(330, 364);
    Firm {
        name: format!("{trade_name} {legal_form}"),
        cnpj: cnpj(serials.first + serial, serial % ALPHANUMERIC_EVERY == ALPHANUMERIC_EVERY - 1),
        segment,
        size,
        source: dice.weighed(&SOURCES).0,
        domain: format!("{}-{}.example", fold(&trade_name).replace(' ', "-"), serial + 1),
        street: format!("{}, {}", dice.pick(&STREETS), dice.between(10, 2_900)),
        city,
        state,
        zip: format!("{zip}{:06}", dice.between(10_000, 999_999)),
        area_code,
        employees,
        revenue: employees * dice.between(90, 260) * 1_000,
        founded,
        parent: (number % SUBSIDIARY_EVERY == SUBSIDIARY_EVERY - 1).then(|| number - 1),
        owner: seller(dice),
        created_at: calendar.days_ago(dice, days),
        trade_name,
    }
}

/// One to three people of each company.
pub(super) fn people(dice: &mut Dice, calendar: Calendar, firms: &[Firm]) -> Vec<Person> {
    let mut people = Vec::new();
    for (number, firm) in firms.iter().enumerate() {
        for place in 0..dice.between(1, 3) {
            let name = person_name(dice);
            let (job, department, decides) = dice.pick(&JOBS);
            let days = dice.between(0, 20) + place * 30;
            let created_at = calendar.after(dice, firm.created_at, days);
            people.push(Person {
                firm: number,
                email: format!("{}@{}", mailbox(&name), firm.domain),
                // Anatel gives nobody a mobile number that goes on with zeros.
                phone: format!("+55{}90000{:04}", firm.area_code, dice.between(0, 9_999)),
                name,
                job,
                department,
                decides,
                created_at: created_at.unwrap_or(firm.created_at),
            });
        }
    }
    people
}

pub(super) fn person_name(dice: &mut Dice) -> String {
    let first = dice.pick(&FIRST_NAMES);
    let (middle, last) = (dice.pick(&LAST_NAMES), dice.pick(&LAST_NAMES));
    if middle == last || dice.chance(55) {
        format!("{first} {last}")
    } else {
        format!("{first} {middle} {last}")
    }
}

pub(super) fn company_name(dice: &mut Dice, segment: &str) -> String {
    let kinds = SEGMENTS.iter().find(|(name, _)| *name == segment).map(|(_, kinds)| *kinds);
    format!("{} {}", dice.pick(kinds.unwrap_or_default()), dice.pick(&COMPANY_WORDS))
}

fn mailbox(name: &str) -> String {
    fold(name).replace(' ', ".")
}

/// A number that passes its check digits and that no company has: roots this high are not given out
/// yet, and letters go on the order of the branch.
fn cnpj(serial: usize, with_letters: bool) -> String {
    let root = if with_letters {
        format!("{:08}", serial % ROOTS).replacen("00", "ZY", 1)
    } else {
        format!("{:08}", 90_000_000 + serial % ROOTS)
    };
    let body = if with_letters { format!("{root}A001") } else { format!("{root}0001") };
    (0..100)
        .map(|check| format!("{body}{check:02}"))
        .find(|number| Cnpj::parse(number).is_ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_right_and_comes_once() {
        let numbers: std::collections::BTreeSet<String> =
            (0..2_000).map(|serial| cnpj(serial, serial % 7 == 0)).collect();
        assert_eq!(numbers.len(), 2_000);
        assert!(numbers.iter().all(|number| Cnpj::parse(number).is_ok()));
    }

    #[test]
    fn colleagues_have_mailboxes_of_their_own() {
        for seed in 0..50 {
            let all = colleagues(&mut Dice::new(seed, 0));
            let mailboxes: std::collections::BTreeSet<&str> =
                all.iter().map(|colleague| colleague.mailbox.as_str()).collect();
            assert_eq!(mailboxes.len(), COLLEAGUES);
        }
    }
}
