//! What happened in a year: leads that came in and what was said to them, deals on their way through
//! the stages, and what is still to be done.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::dice::{Calendar, Dice};
use super::market::{Firm, Person, company_name, seller};
use super::words::{ACTIVITIES, LOST_REASONS, PRODUCTS, RECEIVED, SEGMENTS, SENT, SOURCES};

const LEADS: usize = 150;
/// Deals that no lead came before.
const DIRECT_DEALS: usize = 70;
const YEAR: usize = 360;

pub(super) struct Prospect {
    pub(super) name: String,
    pub(super) status: &'static str,
    pub(super) score: i64,
    pub(super) source: &'static str,
    pub(super) channel: &'static str,
    /// A company and one of its people.
    pub(super) knows: Option<(usize, usize)>,
    pub(super) assignee: usize,
    pub(super) created_at: DateTime<Utc>,
    pub(super) converted_at: Option<DateTime<Utc>>,
    pub(super) talks: Vec<Talk>,
}

pub(super) struct Talk {
    pub(super) kind: &'static str,
    pub(super) inbound: bool,
    pub(super) channel: &'static str,
    pub(super) content: &'static str,
    pub(super) at: DateTime<Utc>,
}

pub(super) struct Business {
    pub(super) title: String,
    /// In hundredths.
    pub(super) value: i64,
    /// The tenant's when absent.
    pub(super) currency: Option<&'static str>,
    pub(super) lead: Option<usize>,
    pub(super) firm: usize,
    pub(super) person: usize,
    pub(super) owner: usize,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expected: NaiveDate,
    /// After the first stage.
    pub(super) steps: Vec<Step>,
    pub(super) activities: Vec<Todo>,
}

pub(super) struct Step {
    pub(super) to: Place,
    pub(super) at: DateTime<Utc>,
}

/// A stage: the open ones by their order, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Open(usize),
    Won,
    Lost(&'static str),
}

pub(super) struct Todo {
    pub(super) kind: &'static str,
    pub(super) subject: &'static str,
    pub(super) created_at: DateTime<Utc>,
    pub(super) due_at: DateTime<Utc>,
    pub(super) done_at: Option<DateTime<Utc>>,
}

/// Who there is to have a story with.
#[derive(Clone, Copy)]
pub(super) struct Market<'m> {
    pub(super) calendar: Calendar,
    pub(super) firms: &'m [Firm],
    pub(super) people: &'m [Person],
}

impl Market<'_> {
    /// Somebody, and the company they work for.
    fn somebody(self, dice: &mut Dice) -> (usize, usize) {
        let person = dice.below(self.people.len());
        (self.people.get(person).map_or(0, |person| person.firm), person)
    }
}

/// Business grows: the nearer to today, the more of it.
fn days_ago(dice: &mut Dice) -> i64 {
    let one = dice.below(YEAR);
    let days = if dice.chance(50) { one } else { one.min(dice.below(YEAR)) };
    i64::try_from(days).unwrap_or_default()
}

pub(super) fn prospects(dice: &mut Dice, market: Market<'_>) -> Vec<Prospect> {
    (0..LEADS).map(|number| prospect(dice, market, number % 10 == 0)).collect()
}

fn prospect(dice: &mut Dice, market: Market<'_>, lately: bool) -> Prospect {
    let days = if lately { dice.between(0, 9) } else { days_ago(dice) };
    let created_at = market.calendar.days_ago(dice, days);
    let mut status = match days {
        0..=6 => dice.weighed(&[("new", 60), ("contacted", 32), ("qualified", 8)]),
        7..=45 => dice.weighed(&[
            ("new", 6),
            ("contacted", 34),
            ("qualified", 26),
            ("converted", 12),
            ("unqualified", 13),
            ("lost", 9),
        ]),
        _ => dice.weighed(&[
            ("contacted", 7),
            ("qualified", 6),
            ("converted", 31),
            ("unqualified", 30),
            ("lost", 26),
        ]),
    };
    let (source, channel) = dice.weighed(&SOURCES);
    let talks = talks(dice, market.calendar, (created_at, channel, status));
    if talks.is_empty() && status != "new" {
        status = "new";
    }
    let last = talks.last().map_or(created_at, |talk| talk.at);
    let days = dice.between(1, 6);
    let converted_at =
        (status == "converted").then(|| market.calendar.after(dice, last, days).unwrap_or(last));
    let knows = (status == "converted" || dice.chance(30)).then(|| market.somebody(dice));
    let name = match knows.and_then(|(_, person)| market.people.get(person)) {
        Some(person) => person.name.clone(),
        None => {
            let (segment, _) = dice.pick(&SEGMENTS);
            company_name(dice, segment)
        }
    };
    let (least, most) = match status {
        "converted" | "qualified" => (58, 97),
        "contacted" => (30, 74),
        "new" => (5, 55),
        _ => (2, 45),
    };
    Prospect {
        name,
        status,
        score: dice.between(least, most),
        source,
        channel,
        knows,
        assignee: seller(dice),
        created_at,
        converted_at,
        talks,
    }
}

/// What was said to a lead and back; nothing yet to a new one.
fn talks(
    dice: &mut Dice,
    calendar: Calendar,
    (created_at, channel, status): (DateTime<Utc>, &'static str, &str),
) -> Vec<Talk> {
    let most = match status {
        "new" => 0,
        "contacted" => dice.between(1, 3),
        "qualified" | "converted" => dice.between(2, 5),
        _ => dice.between(1, 4),
    };
    let mut at = created_at;
    let mut talks = Vec::new();
    for number in 0..most {
        let days = if number == 0 { dice.between(0, 2) } else { dice.between(1, 6) };
        let Some(next) = calendar.after(dice, at, days) else { break };
        at = next;
        let inbound = number % 2 == 1;
        let kind = match (channel, inbound) {
            ("whatsapp", false) => "whatsapp_sent",
            ("whatsapp", true) => "whatsapp_received",
            ("linkedin", false) => "linkedin_sent",
            ("linkedin", true) => "linkedin_received",
            ("email", false) => "email_sent",
            ("email", true) => "email_replied",
            _ if number == 3 => "meeting",
            _ => "call",
        };
        let content = if inbound { dice.pick(&RECEIVED) } else { dice.pick(&SENT) };
        talks.push(Talk { kind, inbound, channel, content, at });
    }
    talks
}

/// The deals of converted leads, and those that began without one.
pub(super) fn deals(
    dice: &mut Dice,
    market: Market<'_>,
    prospects: &[Prospect],
    open_stages: usize,
) -> Vec<Business> {
    let mut deals = Vec::new();
    for (number, lead) in prospects.iter().enumerate() {
        if let (Some(at), Some(knows)) = (lead.converted_at, lead.knows) {
            let begin = Begin { lead: Some(number), knows, owner: lead.assignee, at };
            deals.push(business(dice, market, &begin, open_stages));
        }
    }
    for _ in 0..DIRECT_DEALS {
        let days = days_ago(dice).min(320);
        let at = market.calendar.days_ago(dice, days);
        let knows = market.somebody(dice);
        let owner = market.firms.get(knows.0).map_or(0, |firm| firm.owner);
        let begin = Begin { lead: None, knows, owner, at };
        deals.push(business(dice, market, &begin, open_stages));
    }
    deals
}

/// How a deal comes about.
#[derive(Clone, Copy)]
struct Begin {
    lead: Option<usize>,
    knows: (usize, usize),
    owner: usize,
    at: DateTime<Utc>,
}

fn business(dice: &mut Dice, market: Market<'_>, begin: &Begin, open_stages: usize) -> Business {
    let calendar = market.calendar;
    let firm = market.firms.get(begin.knows.0);
    let (product, least, most) = dice.pick(&PRODUCTS);
    let spends = firm.map_or(100, |firm| firm.size.spends());
    let currency = dice.weighed(&[(None, 91), (Some("USD"), 6), (Some("EUR"), 3)]);
    let foreign = if currency.is_some() { 5 } else { 1 };
    let value = dice.between(least, most) * spends / 100 / foreign / 50 * 50;
    let name = firm.map_or("", |firm| firm.trade_name.as_str());
    let steps = steps(dice, calendar, begin.at, open_stages);
    let is_open = steps.last().is_none_or(|step| matches!(step.to, Place::Open(_)));
    let mut expected = calendar.date_of(begin.at) + TimeDelta::days(dice.between(25, 75));
    let today = calendar.date_of(calendar.now);
    // Most of what is late was put off.
    if is_open && expected < today && dice.chance(75) {
        expected = today + TimeDelta::days(dice.between(4, 45));
    }
    Business {
        title: format!("{product} – {name}"),
        value: value * 100,
        currency,
        lead: begin.lead,
        firm: begin.knows.0,
        person: begin.knows.1,
        owner: begin.owner,
        created_at: begin.at,
        expected,
        activities: activities(dice, calendar, (begin.at, &steps, is_open)),
        steps,
    }
}

fn steps(
    dice: &mut Dice,
    calendar: Calendar,
    created_at: DateTime<Utc>,
    open_stages: usize,
) -> Vec<Step> {
    // How far it gets before it is lost; most of those that are lost are lost early.
    let lost_after =
        dice.chance(52).then(|| dice.below(open_stages.max(1)).min(dice.below(open_stages.max(1))));
    // Some are simply forgotten.
    let pace = if dice.chance(5) { 40 } else { 1 };
    let mut at = created_at;
    let mut steps = Vec::new();
    for place in 1..=open_stages {
        let days = dice.between(4, 28) * pace;
        let Some(next) = calendar.after(dice, at, days) else { return steps };
        at = next;
        if lost_after.is_some_and(|last| place > last) {
            let reason = dice.weighed(&LOST_REASONS);
            steps.push(Step { to: Place::Lost(reason), at });
            return steps;
        }
        let to = if place == open_stages { Place::Won } else { Place::Open(place) };
        steps.push(Step { to, at });
    }
    steps
}

/// One for each step, done; and what comes next for an open deal.
fn activities(
    dice: &mut Dice,
    calendar: Calendar,
    (created_at, steps, is_open): (DateTime<Utc>, &[Step], bool),
) -> Vec<Todo> {
    let mut from = created_at;
    let mut all = Vec::new();
    for step in steps {
        if dice.chance(70) {
            let (kind, subject) = dice.pick(&ACTIVITIES);
            let done_at = Some(step.at - TimeDelta::minutes(dice.between(5, 40)));
            let done_at = done_at.filter(|at| *at > from);
            if let Some(done) = done_at {
                let due_at = done + TimeDelta::hours(dice.between(-20, 30));
                all.push(Todo { kind, subject, created_at: from, due_at, done_at });
            }
        }
        from = step.at;
    }
    if is_open {
        for _ in 0..dice.between(1, 2) {
            let (kind, subject) = dice.pick(&ACTIVITIES);
            let days = dice.between(1, 14);
            let due_at = if dice.chance(30) {
                calendar.days_ago(dice, days / 2).max(from)
            } else {
                calendar.ahead(dice, days)
            };
            all.push(Todo { kind, subject, created_at: from, due_at, done_at: None });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::market::{Serials, firms, people};

    #[test]
    fn every_story_is_told_in_order_and_is_over_by_now() {
        let calendar = Calendar {
            now: "2026-03-10T12:00:00Z".parse().unwrap(),
            zone: chrono_tz::America::Sao_Paulo,
        };
        for seed in 0..20 {
            let mut dice = Dice::new(seed, 1);
            let firms = firms(&mut dice, calendar, Serials::new(seed, 0));
            let people = people(&mut dice, calendar, &firms);
            let market = Market { calendar, firms: &firms, people: &people };
            let leads = prospects(&mut dice, market);
            let deals = deals(&mut dice, market, &leads, 5);
            for lead in &leads {
                let mut times = vec![lead.created_at];
                times.extend(lead.talks.iter().map(|talk| talk.at));
                times.extend(lead.converted_at);
                times.push(calendar.now);
                assert!(times.is_sorted(), "{times:?}");
            }
            for deal in &deals {
                let mut times = vec![deal.created_at];
                times.extend(deal.steps.iter().map(|step| step.at));
                times.push(calendar.now);
                assert!(times.is_sorted(), "{times:?}");
                assert!(deal.value > 0);
            }
            let ends = |place: fn(&Place) -> bool| {
                deals.iter().filter(|deal| deal.steps.last().is_some_and(|s| place(&s.to))).count()
            };
            assert!(ends(|place| *place == Place::Won) >= 15);
            assert!(ends(|place| matches!(place, Place::Lost(_))) >= 15);
            assert!(ends(|place| matches!(place, Place::Open(_))) >= 6);
        }
    }
}
