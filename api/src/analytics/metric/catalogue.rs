//! The metrics that every tenant has, with the event types that feed them (`docs/events.md` lists
//! both). An event may say more than a metric needs, and need not say all that is listed.

use std::sync::{Arc, LazyLock};

use super::{Aggregation, Folded, Measure, Metric, Source};

const CHANNEL: &[&str] = &["channel", "org_unit"];
const CHANNEL_AGENT: &[&str] = &["channel", "org_unit", "agent"];
const AGENT: &[&str] = &["org_unit", "agent"];
const FLOW: &[&str] = &["automation_flow", "channel", "org_unit"];
const ARTICLE: &[&str] = &["portal", "knowledge_article", "org_unit"];
const NONE: &[&str] = &[];

/// Types that are folded before others: what somebody must act upon.
const CRITICAL: [&str; 3] = ["sla.breached", "automation.failed", "channel.disconnected"];

pub fn is_critical(event_type: &str) -> bool {
    CRITICAL.contains(&event_type)
}

/// How one of these metrics comes about.
enum Declared {
    Folded(Aggregation, Vec<Source>, Option<(&'static str, u32)>, &'static [&'static str]),
    /// Numerator and denominator by their names, and what one is.
    Ratio(&'static str, &'static str, f64),
}

fn every(event_type: &str) -> Source {
    Source { event_type: event_type.to_owned(), sign: 1, only: None }
}

fn less(event_type: &str) -> Source {
    Source { sign: -1, ..every(event_type) }
}

fn only(event_type: &str, field: &str, text: &str) -> Source {
    Source { only: Some((field.to_owned(), text.to_owned())), ..every(event_type) }
}

fn count<const N: usize>(sources: [Source; N], dimensions: &'static [&'static str]) -> Declared {
    Declared::Folded(Aggregation::Count, sources.into(), None, dimensions)
}

fn of_value<const N: usize>(
    aggregation: Aggregation,
    sources: [Source; N],
    value: (&'static str, u32),
    dimensions: &'static [&'static str],
) -> Declared {
    Declared::Folded(aggregation, sources.into(), Some(value), dimensions)
}

fn percent(numerator: &'static str, denominator: &'static str) -> Declared {
    Declared::Ratio(numerator, denominator, 100.0)
}

macro_rules! metrics {
    ($($name:literal $label_en:literal $label_pt:literal $unit:literal $scope:literal $declared:expr;)*) => {{
        let mut metrics = Vec::new();
        $(if let Some(measure) = measure(&metrics, $name, $declared) {
            metrics.push(Arc::new(Metric {
                name: $name.to_owned(),
                label_en: $label_en.to_owned(),
                label_pt: $label_pt.to_owned(),
                unit: $unit.to_owned(),
                scope: $scope.to_owned(),
                measure,
            }));
        })*
        metrics
    }};
}

/// None for a ratio of metrics that do not come before it; a test says that there is none.
fn measure(before: &[Arc<Metric>], name: &str, declared: Declared) -> Option<Measure> {
    let part = |name: &str| before.iter().find(|metric| metric.name == name).cloned();
    Some(match declared {
        Declared::Folded(aggregation, sources, value, dimensions) => {
            Measure::Folded(Arc::new(Folded {
                key: name.into(),
                aggregation,
                sources,
                value: value.map(|(field, _)| field.to_owned()),
                scale: value.map_or(0, |(_, scale)| scale),
                dimensions: dimensions.iter().map(|name| (*name).to_owned()).collect(),
                skips_unreadable: false,
            }))
        }
        Declared::Ratio(numerator, denominator, times) => {
            Measure::Ratio { numerator: part(numerator)?, denominator: part(denominator)?, times }
        }
    })
}

use Aggregation::{Average, Balance, Distinct, Percentile};

/// All of them, by what they are about.
pub static METRICS: LazyLock<Vec<Arc<Metric>>> = LazyLock::new(|| {
    metrics! {
        "tickets_created" "Tickets created" "Chamados abertos" "1" "ticket"
            count([every("ticket.created")], CHANNEL_AGENT);
        "tickets_resolved" "Tickets resolved" "Chamados resolvidos" "1" "ticket"
            count([every("ticket.resolved")], CHANNEL_AGENT);
        "backlog" "Open tickets" "Chamados em aberto" "1" "ticket"
            Declared::Folded(
                Balance,
                vec![every("ticket.created"), every("ticket.reopened"), less("ticket.resolved")],
                None,
                CHANNEL,
            );
        "first_response_time" "First response time" "Tempo de primeira resposta" "s" "ticket"
            of_value(Percentile, [every("ticket.first_reply")], ("responseSec", 3), CHANNEL_AGENT);
        "handle_time" "Handle time" "Tempo de atendimento" "s" "ticket"
            of_value(Percentile, [every("ticket.resolved")], ("handleSec", 3), CHANNEL_AGENT);
        "sla_breaches" "SLA breaches" "Violações de SLA" "1" "ticket"
            count([every("sla.breached")], CHANNEL_AGENT);
        "sla_breach_rate" "SLA breach rate" "Taxa de violação de SLA" "%" "ticket"
            percent("sla_breaches", "tickets_created");
        "conversations" "Conversations" "Conversas" "1" "conversation"
            count([every("conversation.created")], CHANNEL);
        "conversations_closed" "Conversations closed" "Conversas encerradas" "1" "conversation"
            count([every("conversation.closed")], CHANNEL_AGENT);
        "messages" "Messages" "Mensagens" "1" "channel"
            count([every("message.received"), every("message.sent")], CHANNEL);
        "messages_sent" "Messages sent" "Mensagens enviadas" "1" "channel"
            count([every("message.sent")], CHANNEL_AGENT);
        "channel_failures" "Channel failures" "Falhas de canal" "1" "channel"
            count([every("channel.disconnected"), every("message.failed")], CHANNEL);
        "csat" "Satisfaction (CSAT)" "Satisfação (CSAT)" "pt" "conversation"
            of_value(Average, [every("csat.answered")], ("score", 2), CHANNEL_AGENT);
        "csat_answers" "Satisfaction answers" "Respostas de satisfação" "1" "conversation"
            count([every("csat.answered")], CHANNEL_AGENT);
        "automation_runs" "Automation runs" "Execuções de automação" "1" "automation_flow"
            count([every("automation.ran"), every("automation.failed")], FLOW);
        "automation_failures" "Automation failures" "Falhas de automação" "1" "automation_flow"
            count([every("automation.failed"), only("automation.ran", "outcome", "failed")], FLOW);
        "automation_failure_rate" "Automation failure rate" "Taxa de falha de automação" "%" "automation_flow"
            percent("automation_failures", "automation_runs");
        "automation_resolved" "Resolved by automation" "Resolvidos por automação" "1" "automation_flow"
            count([only("automation.ran", "outcome", "resolved")], FLOW);
        "automation_share" "Share resolved by automation" "Parcela resolvida por automação" "%" "automation_flow"
            percent("automation_resolved", "conversations");
        "quick_replies" "Quick replies used" "Respostas rápidas usadas" "1" "agent"
            count([every("quick_reply.used")], AGENT);
        "quick_reply_share" "Share of quick replies" "Parcela de respostas rápidas" "%" "agent"
            percent("quick_replies", "messages_sent");
        "active_agents" "Active agents" "Agentes ativos" "1" "agent"
            of_value(Distinct, [every("ticket.resolved"), every("conversation.closed")], ("agentId", 0), CHANNEL);
        "resolved_by_agent" "Resolved per agent" "Resolvidos por agente" "1" "agent"
            Declared::Ratio("tickets_resolved", "active_agents", 1.0);
        "article_views" "Article views" "Visualizações de artigos" "1" "knowledge_article"
            count([every("article.viewed")], ARTICLE);
        "article_rating" "Article rating" "Avaliação de artigos" "pt" "knowledge_article"
            of_value(Average, [every("article.rated")], ("score", 2), ARTICLE);
        "internal_messages" "Internal messages" "Mensagens internas" "1" "org_unit"
            count([every("internal_message.sent")], AGENT);
        "leads_created" "Leads created" "Leads criados" "1" "crm"
            count([every("lead.created")], NONE);
        "leads_converted" "Leads converted" "Leads convertidos" "1" "crm"
            count([every("lead.converted")], NONE);
        "deals_won" "Deals won" "Negócios ganhos" "1" "crm"
            count([every("deal.won")], NONE);
        "deals_lost" "Deals lost" "Negócios perdidos" "1" "crm"
            count([every("deal.lost")], NONE);
    }
});

/// What can be asked of a tenant's numbers: the metrics that all have, and its own.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    own: Vec<Arc<Metric>>,
    /// Names of those whose history is being counted.
    counting: Vec<String>,
}

impl Catalogue {
    pub fn add(&mut self, metric: Arc<Metric>) {
        self.own.push(metric);
    }

    pub fn wait_for(&mut self, name: String) {
        self.counting.push(name);
    }

    /// Whether there is such a metric, and it cannot be asked for yet.
    pub fn is_counting(&self, name: &str) -> bool {
        self.counting.iter().any(|each| each == name)
    }

    pub fn find(&self, name: &str) -> Option<&Arc<Metric>> {
        self.iter().find(|metric| metric.name == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Metric>> {
        METRICS.iter().chain(&self.own)
    }

    /// Whether the tenant has none of its own.
    pub fn is_common(&self) -> bool {
        self.own.is_empty()
    }
}

/// Whether every tenant has a metric of this name.
pub fn is_common(name: &str) -> bool {
    METRICS.iter().any(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_metric_has_its_own_name_and_what_it_needs() {
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names.len(), METRICS.len());
        // As many as are declared: ratios come after their parts.
        let source = include_str!("catalogue.rs");
        let names = |line: &&str| line.trim_start().starts_with('"') && line.ends_with('"');
        let declared = source.lines().filter(names).count();
        assert_eq!(declared, METRICS.len());
        for metric in METRICS.iter() {
            let parts = metric.parts();
            assert_eq!(
                parts.len(),
                if metric.folded().is_some() { 1 } else { 2 },
                "{}",
                metric.name
            );
            for folded in parts {
                let needs_value = !matches!(folded.aggregation, Aggregation::Count | Balance);
                assert_eq!(folded.value.is_some(), needs_value, "{}", metric.name);
                assert!(!folded.sources.is_empty(), "{}", metric.name);
            }
        }
    }
}
