//! Writing the demo through the engine, as an import does: with audit entries, events, search text
//! and everything else that a row has.

use chrono::{DateTime, Datelike, Utc};
use uuid::Uuid;

use super::dice::{Calendar, Dice};
use super::market::{self, Colleague, Firm, OFFICES, Person, Serials};
use super::orders::{self, Order};
use super::story::{self, Business, Market, Place, Prospect, Todo};
use super::{EXTERNAL_SYSTEM, Planted};
use crate::crm::{company, contact, deal, deal_activity, lead, lead_interaction};
use crate::db::Value;
use crate::error::Result;
use crate::goals::{goal, sale};
use crate::identity::{org_unit, user};
use crate::record::Record;
use crate::record::change::{Session, Values, ids_by};

/// The offices and colleagues of a seed, written or found.
pub(super) struct Staff {
    pub(super) users: Vec<Uuid>,
}

/// One part of a demo on its way into the tables.
pub(super) struct Planter<'s, 'c> {
    pub(super) session: &'s mut Session<'c>,
    pub(super) calendar: Calendar,
    pub(super) seed: u64,
    pub(super) part: usize,
}

impl Planter<'_, '_> {
    /// `1-0-company-7`: the seed, the part, the thing.
    fn outside_id(&self, what: &str, number: usize) -> String {
        format!("{}-{}-{what}-{number}", self.seed, self.part)
    }

    fn named(&self, what: &str, number: usize) -> Values {
        Values::from([
            ("external_system", EXTERNAL_SYSTEM.into()),
            ("external_id", self.outside_id(what, number).into()),
        ])
    }

    /// Whether this part was written before, as far as anything of it is left.
    pub(super) async fn is_there(&self) -> Result<bool> {
        let record = company::record();
        Ok(!self.known(record, vec![self.outside_id("company", 0)]).await?.is_empty())
    }

    async fn known(&self, record: &'static Record, names: Vec<String>) -> Result<Vec<Uuid>> {
        let reader = self.session.ctx().reader(record.resource)?;
        let fixed = Some(("external_system", EXTERNAL_SYSTEM));
        let conn = self.session.conn();
        let mut found =
            ids_by(conn, &reader, record, ("external_id", names.clone()), fixed).await?;
        Ok(names.iter().filter_map(|name| found.remove(name)?.pop()).collect())
    }

    /// Offices and colleagues, one set for each seed; those that are there stay.
    pub(super) async fn staff(&mut self, domain: &str) -> Result<(Staff, Vec<Colleague>)> {
        let colleagues = market::colleagues(&mut Dice::new(self.seed, 0));
        let staff = Planter {
            session: &mut *self.session,
            calendar: self.calendar,
            seed: self.seed,
            part: 0,
        };
        let names = (0..colleagues.len()).map(|number| staff.outside_id("user", number)).collect();
        let known = staff.known(user::record::record(), names).await?;
        if known.len() == colleagues.len() {
            return Ok((Staff { users: known }, Vec::new()));
        }
        let users = staff.write_staff(domain, &colleagues).await?;
        Ok((Staff { users }, colleagues))
    }

    async fn write_staff(self, domain: &str, colleagues: &[Colleague]) -> Result<Vec<Uuid>> {
        let mut offices: Vec<Uuid> = Vec::new();
        for (number, (name, code, parent)) in OFFICES.iter().enumerate() {
            let mut values = self.named("office", number);
            values.insert("name", (*name).into());
            values.insert("code", (*code).into());
            if let Some(parent) = parent.and_then(|parent| offices.get(parent)) {
                values.insert("parent_id", Value::Id(*parent));
            }
            offices.push(self.session.create(org_unit::record::record(), values).await?);
        }
        let mut users: Vec<Uuid> = Vec::new();
        for (number, colleague) in colleagues.iter().enumerate() {
            let mut values = self.named("user", number);
            values.insert("full_name", colleague.name.as_str().into());
            values.insert("email", format!("{}@{domain}", colleague.mailbox).into());
            if let Some(manager) = colleague.manager.and_then(|manager| users.get(manager)) {
                values.insert("manager_id", Value::Id(*manager));
            }
            if let Some(office) = offices.get(colleague.office) {
                values.insert("org_unit_id", Value::Id(*office));
            }
            users.push(self.session.create(user::record::record(), values).await?);
        }
        Ok(users)
    }

    /// Companies, people, leads, deals, sales and goals of this part.
    pub(super) async fn year(&mut self, staff: &Staff) -> Result<Planted> {
        let mut dice = Dice::new(self.seed, 1 + u64::try_from(self.part).unwrap_or_default());
        let calendar = self.calendar;
        let stages = deal::service::stages(self.session).await?;
        let serials = Serials::new(self.seed, self.part);
        let firms = market::firms(&mut dice, calendar, serials);
        let people = market::people(&mut dice, calendar, &firms);
        let market = Market { calendar, firms: &firms, people: &people };
        let leads = story::prospects(&mut dice, market);
        let deals = story::deals(&mut dice, market, &leads, stages.open.len());

        let mut ids = Ids { staff, firms: Vec::new(), people: Vec::new(), leads: Vec::new() };
        ids.firms = self.companies(&firms, staff).await?;
        let contacts = people.iter().enumerate();
        let contacts = contacts.map(|(number, person)| self.contact(number, person, &firms, &ids));
        ids.people = self.session.create_all(contact::record(), contacts.collect()).await?;
        ids.leads = self.leads(&leads, &ids).await?;
        self.deals(&deals, &ids, &stages).await?;
        let orders = orders::orders(&mut dice, calendar, &deals);
        self.sales(&orders, &ids).await?;
        self.goals(&mut dice, &orders, &ids).await?;
        Ok(Planted {
            companies: firms.len(),
            contacts: people.len(),
            leads: leads.len(),
            deals: deals.len(),
        })
    }

    async fn companies(&mut self, firms: &[Firm], staff: &Staff) -> Result<Vec<Uuid>> {
        let rows = firms.iter().enumerate();
        let rows = rows.map(|(number, firm)| self.company(number, firm, staff)).collect();
        let ids = self.session.create_all(company::record(), rows).await?;
        for (firm, id) in firms.iter().zip(&ids) {
            if let Some(parent) = firm.parent.and_then(|parent| ids.get(parent)) {
                let values = Values::from([
                    ("parent_id", Value::Id(*parent)),
                    ("updated_at", Value::Instant(firm.created_at)),
                ]);
                self.session.update(company::record(), *id, values, None).await?;
            }
        }
        Ok(ids)
    }

    fn company(&self, number: usize, firm: &Firm, staff: &Staff) -> Values {
        let mut values = self.named("company", number);
        values.extend(Values::from([
            ("name", firm.name.as_str().into()),
            ("trade_name", firm.trade_name.as_str().into()),
            ("cnpj", firm.cnpj.as_str().into()),
            ("segment", firm.segment.into()),
            ("size", firm.size.stored().into()),
            ("source", firm.source.into()),
            ("website", format!("https://www.{}", firm.domain).into()),
            ("address_street", firm.street.as_str().into()),
            ("address_city", firm.city.into()),
            ("address_state", firm.state.into()),
            ("address_zip", firm.zip.as_str().into()),
            ("country", "BR".into()),
            ("employees", Value::Int(firm.employees)),
            ("annual_revenue", Value::Int(firm.revenue * 100)),
            ("founded_year", Value::Int(firm.founded)),
            ("metadata", Value::Json(serde_json::json!({ "demo": true }))),
        ]));
        put_id(&mut values, "owner_id", staff.users.get(firm.owner));
        dated(values, firm.created_at, firm.created_at)
    }

    fn contact(&self, number: usize, person: &Person, firms: &[Firm], ids: &Ids<'_>) -> Values {
        let mut values = self.named("contact", number);
        values.extend(Values::from([
            ("full_name", person.name.as_str().into()),
            ("email", person.email.as_str().into()),
            ("phone", person.phone.as_str().into()),
            ("whatsapp", person.phone.as_str().into()),
            ("job_title", person.job.into()),
            ("department", person.department.into()),
            ("is_decision_maker", person.decides.into()),
        ]));
        put_id(&mut values, "company_id", ids.firms.get(person.firm));
        let owner = firms.get(person.firm).and_then(|firm| ids.staff.users.get(firm.owner));
        put_id(&mut values, "owner_id", owner);
        dated(values, person.created_at, person.created_at)
    }

    async fn leads(&mut self, leads: &[Prospect], ids: &Ids<'_>) -> Result<Vec<Uuid>> {
        let rows = leads.iter().enumerate();
        let rows = rows.map(|(number, prospect)| self.lead(number, prospect, ids)).collect();
        let written = self.session.create_all(lead::record::record(), rows).await?;
        let mut talks = Vec::new();
        for (prospect, id) in leads.iter().zip(&written) {
            for talk in &prospect.talks {
                let mut values = Values::from([
                    ("lead_id", Value::Id(*id)),
                    ("interaction_type", talk.kind.into()),
                    ("direction", if talk.inbound { "inbound" } else { "outbound" }.into()),
                    ("channel", talk.channel.into()),
                    ("content", talk.content.into()),
                ]);
                put_id(&mut values, "performed_by", ids.staff.users.get(prospect.assignee));
                talks.push(dated(values, talk.at, talk.at));
            }
        }
        self.session.create_all(lead_interaction::record::record(), talks).await?;
        Ok(written)
    }

    fn lead(&self, number: usize, prospect: &Prospect, ids: &Ids<'_>) -> Values {
        let mut values = self.named("lead", number);
        values.extend(Values::from([
            ("name", prospect.name.as_str().into()),
            ("status", prospect.status.into()),
            ("score", Value::Int(prospect.score)),
            ("temperature", lead::service::temperature_of(prospect.score).into()),
            ("source", prospect.source.into()),
            ("channel", prospect.channel.into()),
        ]));
        let last = prospect.talks.last().map(|talk| talk.at);
        let first = prospect.talks.first().map(|talk| talk.at);
        let times = [
            ("first_contact_at", first),
            ("last_contact_at", last),
            ("converted_at", prospect.converted_at),
        ];
        values.extend(times.into_iter().filter_map(|(name, at)| Some((name, at?.into()))));
        if let Some((firm, person)) = prospect.knows {
            put_id(&mut values, "company_id", ids.firms.get(firm));
            put_id(&mut values, "contact_id", ids.people.get(person));
        }
        put_id(&mut values, "assigned_to", ids.staff.users.get(prospect.assignee));
        let changed = prospect.converted_at.or(last).unwrap_or(prospect.created_at);
        dated(values, prospect.created_at, changed)
    }

    async fn deals(
        &mut self,
        deals: &[Business],
        ids: &Ids<'_>,
        stages: &deal::service::Stages,
    ) -> Result<()> {
        let rows = deals.iter().enumerate().map(|(number, business)| {
            let mut values = self.deal(number, business, ids);
            put_id(&mut values, "stage_id", stages.open.first());
            values
        });
        let written = self.session.create_all(deal::record::record(), rows.collect()).await?;
        let mut todos = Vec::new();
        for (business, id) in deals.iter().zip(written) {
            self.moves(business, id, stages).await?;
            let owner = ids.staff.users.get(business.owner);
            todos.extend(business.activities.iter().map(|todo| activity(todo, id, owner)));
            if let Some(lead_id) = business.lead.and_then(|lead| ids.leads.get(lead)) {
                let payload = serde_json::json!({ "id": lead_id, "dealId": id });
                let lead = (lead::record::record(), *lead_id);
                self.session.tell_at(business.created_at, lead, "converted", payload);
            }
        }
        self.session.create_all(deal_activity::record(), todos).await?;
        Ok(())
    }

    fn deal(&self, number: usize, business: &Business, ids: &Ids<'_>) -> Values {
        let mut values = self.named("deal", number);
        values.extend(Values::from([
            ("title", business.title.as_str().into()),
            ("value", Value::Int(business.value)),
            ("expected_close_date", Value::Date(business.expected)),
            ("stage_changed_at", business.created_at.into()),
        ]));
        if let Some(currency) = business.currency {
            values.insert("currency", currency.into());
        }
        put_id(&mut values, "lead_id", business.lead.and_then(|lead| ids.leads.get(lead)));
        put_id(&mut values, "company_id", ids.firms.get(business.firm));
        put_id(&mut values, "contact_id", ids.people.get(business.person));
        put_id(&mut values, "owned_by", ids.staff.users.get(business.owner));
        dated(values, business.created_at, business.created_at)
    }

    async fn sales(&mut self, orders: &[Order], ids: &Ids<'_>) -> Result<()> {
        let rows = orders.iter().enumerate().map(|(number, order)| {
            let mut values = self.named("sale", number);
            values.extend(Values::from([
                ("source", EXTERNAL_SYSTEM.into()),
                ("order_id", self.outside_id("order", number).into()),
                ("amount", Value::Int(order.amount)),
                ("sold_at", order.at.into()),
            ]));
            put_id(&mut values, "seller_id", ids.staff.users.get(order.seller));
            put_id(&mut values, "customer_id", ids.firms.get(order.firm));
            dated(values, order.at, order.at)
        });
        let rows = rows.collect();
        self.session.create_all(sale::record::record(), rows).await?;
        Ok(())
    }

    /// Of the present year.
    async fn goals(&mut self, dice: &mut Dice, orders: &[Order], ids: &Ids<'_>) -> Result<()> {
        let year = self.calendar.date_of(self.calendar.now).year();
        let targets = orders::targets(dice, orders);
        let rows = targets.iter().enumerate().map(|(number, target)| {
            let mut values = self.named("goal", number);
            values.extend(Values::from([
                ("year", Value::Int(i64::from(year))),
                ("amount", Value::Int(target.amount)),
                ("classification", target.class.into()),
            ]));
            put_id(&mut values, "seller_id", ids.staff.users.get(target.seller));
            put_id(&mut values, "customer_id", ids.firms.get(target.firm));
            values
        });
        let rows = rows.collect();
        self.session.create_all(goal::record::record(), rows).await?;
        Ok(())
    }

    /// A deal on its way through the stages, each move kept with its time.
    async fn moves(
        &mut self,
        business: &Business,
        id: Uuid,
        stages: &deal::service::Stages,
    ) -> Result<()> {
        let record = deal::record::record();
        for step in &business.steps {
            let (stage, status) = match step.to {
                Place::Open(place) => (stages.open.get(place).copied(), "open"),
                Place::Won => (stages.won, "won"),
                Place::Lost(_) => (stages.lost, "lost"),
            };
            // A pipeline of the customer's own may have no such stage: the deal stays where it is.
            let Some(stage) = stage else { break };
            let mut values = Values::from([
                ("stage_id", Value::Id(stage)),
                ("status", status.into()),
                ("stage_changed_at", step.at.into()),
                ("updated_at", step.at.into()),
            ]);
            if status != "open" {
                values.insert("actual_close_date", Value::Date(self.calendar.date_of(step.at)));
            }
            if let Place::Lost(reason) = step.to {
                values.insert("lost_reason", reason.into());
            }
            self.session.update(record, id, values, None).await?;
        }
        Ok(())
    }
}

/// What was written so far.
struct Ids<'s> {
    staff: &'s Staff,
    firms: Vec<Uuid>,
    people: Vec<Uuid>,
    leads: Vec<Uuid>,
}

fn activity(todo: &Todo, deal_id: Uuid, owner: Option<&Uuid>) -> Values {
    let mut values = Values::from([
        ("deal_id", Value::Id(deal_id)),
        ("kind", todo.kind.into()),
        ("subject", todo.subject.into()),
        ("due_at", todo.due_at.into()),
    ]);
    if let Some(done_at) = todo.done_at {
        values.insert("done_at", done_at.into());
    }
    put_id(&mut values, "owner_id", owner);
    dated(values, todo.created_at, todo.done_at.unwrap_or(todo.created_at))
}

fn put_id(values: &mut Values, column: &'static str, id: Option<&Uuid>) {
    if let Some(id) = id {
        values.insert(column, Value::Id(*id));
    }
}

fn dated(mut values: Values, created_at: DateTime<Utc>, updated_at: DateTime<Utc>) -> Values {
    values.insert("created_at", created_at.into());
    values.insert("updated_at", updated_at.into());
    values
}
