//! What one does with leads beyond writing their fields.

use async_graphql_value::ConstValue;
use uuid::Uuid;

use super::record;
use crate::access::{Action, Reader};
use crate::crm::{company, contact, deal};
use crate::db::Value;
use crate::error::{Error, Result, say};
use crate::record::Record;
use crate::record::change::input::{self as draft, Purpose};
use crate::record::change::{Session, Values};

/// What a lead becomes.
pub struct Conversion {
    /// `{ connect | create }`; the lead's own company when absent.
    pub company: Option<ConstValue>,
    /// `{ connect | create }`; the lead's own contact when absent.
    pub contact: Option<ConstValue>,
    /// Fields of the deal; title, stage and owner have defaults.
    pub deal: Option<ConstValue>,
    pub expected_version: Option<i64>,
}

/// The records that a conversion leaves.
pub struct Converted {
    pub lead: Uuid,
    pub company: Uuid,
    pub contact: Option<Uuid>,
    pub deal: Uuid,
}

/// Turns a qualified lead into a company, a contact and a deal, all or nothing.
pub async fn convert(session: &mut Session<'_>, id: Uuid, to: Conversion) -> Result<Converted> {
    let lead = record::record();
    let row = session.lock(lead, Action::Update, id, to.expected_version).await?;
    let status = text_of(&row, "status").unwrap_or_default();
    if status != "qualified" {
        return Err(Error::conflict_field(
            "status",
            say(
                format!("only a qualified lead converts; this one is {status}"),
                format!("só um lead qualificado é convertido; este está {status}"),
            ),
        ));
    }
    let name = text_of(&row, "name");
    let company = party(session, company::record(), to.company, Values::new())
        .await
        .map_err(|error| within(error, "company"))?;
    let company = match company.or(id_of(&row, "company_id")) {
        Some(id) => id,
        // A lead that is only a name becomes a company of that name.
        None => {
            let name = name.clone().ok_or_else(|| {
                Error::invalid_field(
                    "company",
                    say(
                        "the lead has neither company nor name: give a company",
                        "o lead não tem empresa nem nome: informe uma empresa",
                    ),
                )
            })?;
            let mut values = Values::from([("name", Value::Text(name))]);
            if let Some(owner) = id_of(&row, "assigned_to") {
                values.insert("owner_id", Value::Id(owner));
            }
            session
                .create(company::record(), values)
                .await
                .map_err(|error| within(error, "company"))?
        }
    };
    // Somebody new belongs to the company unless another is named.
    let defaults = Values::from([("company_id", Value::Id(company))]);
    let contact = party(session, contact::record(), to.contact, defaults)
        .await
        .map_err(|error| within(error, "contact"))?
        .or(id_of(&row, "contact_id"));
    let related = Related { lead: id, company, contact, owner: id_of(&row, "assigned_to"), name };
    let deal = create_deal(session, to.deal, related).await?;
    let mut done = Values::from([
        ("status", Value::from("converted")),
        ("converted_at", Value::Instant(session.ctx().now())),
        ("company_id", Value::Id(company)),
    ]);
    if let Some(contact) = contact {
        done.insert("contact_id", Value::Id(contact));
    }
    session.update(lead, id, done, None).await?;
    let payload = serde_json::json!({ "id": id, "companyId": company, "dealId": deal });
    session.tell(lead, id, "converted", payload);
    Ok(Converted { lead: id, company, contact, deal })
}

struct Related {
    lead: Uuid,
    company: Uuid,
    contact: Option<Uuid>,
    owner: Option<Uuid>,
    name: Option<String>,
}

async fn create_deal(
    session: &mut Session<'_>,
    given: Option<ConstValue>,
    related: Related,
) -> Result<Uuid> {
    let mut values = match given {
        Some(given) => {
            let draft = read(session, deal::record::record(), &given);
            draft.map_err(|error| within(error, "deal"))?.values
        }
        None => Values::new(),
    };
    let title = related.name.unwrap_or_else(|| "Lead".to_owned());
    values.entry("title").or_insert(Value::Text(title));
    if let Some(owner) = related.owner {
        values.entry("owned_by").or_insert(Value::Id(owner));
    }
    if !values.contains_key("stage_id") {
        let stage = deal::service::first_stage(session).await?;
        values.insert("stage_id", Value::Id(stage));
    }
    values.insert("lead_id", Value::Id(related.lead));
    values.insert("company_id", Value::Id(related.company));
    if let Some(contact) = related.contact {
        values.insert("contact_id", Value::Id(contact));
    }
    let created = session.create(deal::record::record(), values).await;
    created.map_err(|error| within(error, "deal"))
}

fn read(
    session: &Session<'_>,
    record: &'static Record,
    given: &ConstValue,
) -> Result<draft::Draft> {
    let ctx = session.ctx();
    let grant = |other: &'static Record| -> Result<Reader> { ctx.reader(other.resource) };
    draft::read(&grant, record, given, Purpose::Create)
}

/// The company or contact that a conversion names: connected or created; none when it names none.
async fn party(
    session: &mut Session<'_>,
    record: &'static Record,
    given: Option<ConstValue>,
    defaults: Values,
) -> Result<Option<Uuid>> {
    let Some(ConstValue::Object(entries)) = given else { return Ok(None) };
    let present = |name: &str| entries.get(name).filter(|it| !matches!(it, ConstValue::Null));
    match (present("connect"), present("create")) {
        (Some(id), None) => crate::record::input::read_id(id).map(Some),
        (None, Some(given)) => {
            let mut draft = read(session, record, given)?;
            for (column, value) in defaults {
                draft.values.entry(column).or_insert(value);
            }
            draft.create(session).await.map(Some)
        }
        _ => Err(Error::invalid(say(
            "give connect or create, and not both",
            "informe connect ou create, e não ambos",
        ))),
    }
}

fn within(error: Error, name: &'static str) -> Error {
    draft::prefix(error, name)
}

fn text_of(row: &Values, column: &str) -> Option<String> {
    match row.get(column) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn id_of(row: &Values, column: &str) -> Option<Uuid> {
    match row.get(column) {
        Some(Value::Id(id)) => Some(*id),
        _ => None,
    }
}

/// Gives a lead to somebody.
pub async fn assign(session: &mut Session<'_>, id: Uuid, assignee_id: Uuid) -> Result<()> {
    let values = Values::from([("assigned_to", Value::Id(assignee_id))]);
    session.update(record::record(), id, values, None).await
}

/// How close to buying a score stands for.
pub fn temperature_of(score: i64) -> &'static str {
    match score {
        70.. => "hot",
        40..70 => "warm",
        _ => "cold",
    }
}

/// Sets how promising a lead is; the temperature follows from the score unless it is given.
pub async fn score(
    session: &mut Session<'_>,
    id: Uuid,
    score: i64,
    temperature: Option<String>,
) -> Result<()> {
    let temperature = temperature.unwrap_or_else(|| temperature_of(score).to_owned());
    let values =
        Values::from([("score", Value::Int(score)), ("temperature", Value::Text(temperature))]);
    session.update(record::record(), id, values, None).await
}
