//! The metrics that every tenant has, with the event types that feed them (`docs/events.md` lists
//! both). An event may say more than a metric needs, and need not say all that is listed.

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

const fn every(event_type: &'static str) -> Source {
    Source { event_type, sign: 1, only: None }
}

const fn less(event_type: &'static str) -> Source {
    Source { event_type, sign: -1, only: None }
}

const fn only(event_type: &'static str, field: &'static str, text: &'static str) -> Source {
    Source { event_type, sign: 1, only: Some((field, text)) }
}

const fn count(sources: &'static [Source], dimensions: &'static [&'static str]) -> Measure {
    Measure::Folded(Folded {
        aggregation: Aggregation::Count,
        sources,
        value: None,
        scale: 0,
        dimensions,
    })
}

const fn of_value(
    aggregation: Aggregation,
    sources: &'static [Source],
    (value, scale): (&'static str, u32),
    dimensions: &'static [&'static str],
) -> Measure {
    Measure::Folded(Folded { aggregation, sources, value: Some(value), scale, dimensions })
}

const fn percent(numerator: &'static str, denominator: &'static str) -> Measure {
    Measure::Ratio { numerator, denominator, times: 100.0 }
}

macro_rules! metrics {
    ($($name:literal $label_en:literal $label_pt:literal $unit:literal $scope:literal $measure:expr;)*) => {
        &[$(Metric {
            name: $name, label_en: $label_en, label_pt: $label_pt, unit: $unit, scope: $scope, measure: $measure,
        }),*]
    };
}

use Aggregation::{Average, Balance, Distinct, Percentile};

/// All of them, by what they are about.
pub static METRICS: &[Metric] = metrics! {
    "tickets_created" "Tickets created" "Chamados abertos" "1" "ticket"
        count(&[every("ticket.created")], CHANNEL_AGENT);
    "tickets_resolved" "Tickets resolved" "Chamados resolvidos" "1" "ticket"
        count(&[every("ticket.resolved")], CHANNEL_AGENT);
    "backlog" "Open tickets" "Chamados em aberto" "1" "ticket"
        Measure::Folded(Folded {
            aggregation: Balance,
            sources: &[every("ticket.created"), every("ticket.reopened"), less("ticket.resolved")],
            value: None,
            scale: 0,
            dimensions: CHANNEL,
        });
    "first_response_time" "First response time" "Tempo de primeira resposta" "s" "ticket"
        of_value(Percentile, &[every("ticket.first_reply")], ("responseSec", 3), CHANNEL_AGENT);
    "handle_time" "Handle time" "Tempo de atendimento" "s" "ticket"
        of_value(Percentile, &[every("ticket.resolved")], ("handleSec", 3), CHANNEL_AGENT);
    "sla_breaches" "SLA breaches" "Violações de SLA" "1" "ticket"
        count(&[every("sla.breached")], CHANNEL_AGENT);
    "sla_breach_rate" "SLA breach rate" "Taxa de violação de SLA" "%" "ticket"
        percent("sla_breaches", "tickets_created");
    "conversations" "Conversations" "Conversas" "1" "conversation"
        count(&[every("conversation.created")], CHANNEL);
    "conversations_closed" "Conversations closed" "Conversas encerradas" "1" "conversation"
        count(&[every("conversation.closed")], CHANNEL_AGENT);
    "messages" "Messages" "Mensagens" "1" "channel"
        count(&[every("message.received"), every("message.sent")], CHANNEL);
    "messages_sent" "Messages sent" "Mensagens enviadas" "1" "channel"
        count(&[every("message.sent")], CHANNEL_AGENT);
    "channel_failures" "Channel failures" "Falhas de canal" "1" "channel"
        count(&[every("channel.disconnected"), every("message.failed")], CHANNEL);
    "csat" "Satisfaction (CSAT)" "Satisfação (CSAT)" "pt" "conversation"
        of_value(Average, &[every("csat.answered")], ("score", 2), CHANNEL_AGENT);
    "csat_answers" "Satisfaction answers" "Respostas de satisfação" "1" "conversation"
        count(&[every("csat.answered")], CHANNEL_AGENT);
    "automation_runs" "Automation runs" "Execuções de automação" "1" "automation_flow"
        count(&[every("automation.ran"), every("automation.failed")], FLOW);
    "automation_failures" "Automation failures" "Falhas de automação" "1" "automation_flow"
        count(&[every("automation.failed"), only("automation.ran", "outcome", "failed")], FLOW);
    "automation_failure_rate" "Automation failure rate" "Taxa de falha de automação" "%" "automation_flow"
        percent("automation_failures", "automation_runs");
    "automation_resolved" "Resolved by automation" "Resolvidos por automação" "1" "automation_flow"
        count(&[only("automation.ran", "outcome", "resolved")], FLOW);
    "automation_share" "Share resolved by automation" "Parcela resolvida por automação" "%" "automation_flow"
        percent("automation_resolved", "conversations");
    "quick_replies" "Quick replies used" "Respostas rápidas usadas" "1" "agent"
        count(&[every("quick_reply.used")], AGENT);
    "quick_reply_share" "Share of quick replies" "Parcela de respostas rápidas" "%" "agent"
        percent("quick_replies", "messages_sent");
    "active_agents" "Active agents" "Agentes ativos" "1" "agent"
        of_value(Distinct, &[every("ticket.resolved"), every("conversation.closed")], ("agentId", 0), CHANNEL);
    "resolved_by_agent" "Resolved per agent" "Resolvidos por agente" "1" "agent"
        Measure::Ratio { numerator: "tickets_resolved", denominator: "active_agents", times: 1.0 };
    "article_views" "Article views" "Visualizações de artigos" "1" "knowledge_article"
        count(&[every("article.viewed")], ARTICLE);
    "article_rating" "Article rating" "Avaliação de artigos" "pt" "knowledge_article"
        of_value(Average, &[every("article.rated")], ("score", 2), ARTICLE);
    "internal_messages" "Internal messages" "Mensagens internas" "1" "org_unit"
        count(&[every("internal_message.sent")], AGENT);
    "leads_created" "Leads created" "Leads criados" "1" "crm"
        count(&[every("lead.created")], NONE);
    "leads_converted" "Leads converted" "Leads convertidos" "1" "crm"
        count(&[every("lead.converted")], NONE);
    "deals_won" "Deals won" "Negócios ganhos" "1" "crm"
        count(&[every("deal.won")], NONE);
    "deals_lost" "Deals lost" "Negócios perdidos" "1" "crm"
        count(&[every("deal.lost")], NONE);
};

pub fn find(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_metric_has_its_own_name_and_ratios_have_their_parts() {
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            match metric.measure {
                Measure::Ratio { numerator, denominator, .. } => {
                    for part in [numerator, denominator] {
                        let part = find(part).unwrap_or_else(|| panic!("{}: {part}", metric.name));
                        assert!(matches!(part.measure, Measure::Folded(_)), "{}", metric.name);
                    }
                }
                Measure::Folded(folded) => {
                    let needs_value = !matches!(folded.aggregation, Aggregation::Count | Balance);
                    assert_eq!(folded.value.is_some(), needs_value, "{}", metric.name);
                    assert!(!folded.sources.is_empty(), "{}", metric.name);
                }
            }
        }
    }
}
