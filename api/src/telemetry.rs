//! Logs and measurements. Logs go to standard error, so that what a command prints stays clean.
//! Measurements belong to one [`crate::app::App`] and not to the process: tests run many side by side.

use std::collections::HashMap;
use std::fmt;
use std::io::IsTerminal;
use std::sync::RwLock;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

use crate::config::{Log, LogFormat};
use crate::db::PoolState;

const METADATA: Metadata<'static> = Metadata::new("pulso", Level::INFO, Some(module_path!()));
/// Seconds; fine where GraphQL answers live, coarse where something is wrong.
const BUCKETS_SECONDS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Statements of one operation.
const BUCKETS_STATEMENTS: [f64; 8] = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 128.0];

/// Starts logging for this process; to be called once, by the command line.
pub fn start_logging(settings: &Log) -> Result<(), TryInitError> {
    use tracing_subscriber::util::SubscriberInitExt;

    let terminal = std::io::stderr().is_terminal();
    let format =
        settings.format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&settings.level))
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Pretty => builder.with_ansi(terminal).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
}

/// Whether a log level setting can be read.
pub(crate) fn check_directives(directives: &str) -> Result<(), String> {
    match EnvFilter::try_new(directives) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("\"{directives}\" is not a log level: {error}")),
    }
}

/// The measurements of one App, in the form that Prometheus reads.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// By route, method and status, so that a request costs one look-up.
    requests: RwLock<HashMap<RequestKind, (Counter, Histogram)>>,
    operations: RwLock<HashMap<OperationKind, OperationMeters>>,
    in_flight: Gauge,
    websockets: Gauge,
    turns_taken: Gauge,
    turns_awaited: Gauge,
    connections: [Gauge; 4],
}

/// What the connections to the database are counted by.
const CONNECTIONS: [&str; 4] = [
    "pulso_database_connections_max",
    "pulso_database_connections_open",
    "pulso_database_connections_idle",
    "pulso_database_connections_awaited",
];

/// What requests are counted by: closed sets only, or a stranger could fill the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestKind {
    pub route: &'static str,
    pub method: &'static str,
    pub status: u16,
}

/// What operations are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OperationKind {
    /// `query`, `mutation` or `subscription`, which is counted when it begins.
    pub kind: &'static str,
    pub outcome: &'static str,
}

/// What one operation took.
#[derive(Debug, Clone, Copy)]
pub struct OperationCost {
    pub took: Duration,
    pub statements: u32,
    pub rows_read: u64,
}

#[derive(Clone)]
struct OperationMeters {
    count: Counter,
    seconds: Histogram,
    statements: Histogram,
    rows_read: Counter,
}

impl Metrics {
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS_SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_statements".to_owned()), &BUCKETS_STATEMENTS)?
            .build_recorder();
        describe(&recorder);
        let build = Key::from_parts(
            "pulso_build_info",
            vec![Label::new("version", env!("CARGO_PKG_VERSION"))],
        );
        recorder.register_gauge(&build, &METADATA).set(1.0);
        Ok(Self {
            handle: recorder.handle(),
            in_flight: recorder
                .register_gauge(&Key::from_name("pulso_http_requests_in_flight"), &METADATA),
            websockets: recorder
                .register_gauge(&Key::from_name("pulso_websocket_connections"), &METADATA),
            turns_taken: recorder
                .register_gauge(&Key::from_name("pulso_operations_running"), &METADATA),
            turns_awaited: recorder
                .register_gauge(&Key::from_name("pulso_operations_waiting"), &METADATA),
            connections: CONNECTIONS
                .map(|name| recorder.register_gauge(&Key::from_name(name), &METADATA)),
            requests: RwLock::new(HashMap::new()),
            operations: RwLock::new(HashMap::new()),
            recorder,
        })
    }

    /// Counts a request as being worked on until the guard is dropped.
    pub fn request_started(&self) -> InFlight {
        InFlight::new(&self.in_flight)
    }

    /// Counts a WebSocket connection as open until the guard is dropped.
    pub fn websocket_opened(&self) -> InFlight {
        InFlight::new(&self.websockets)
    }

    pub fn request_finished(&self, kind: RequestKind, took: Duration) {
        let known = self.requests.read().ok().and_then(|known| known.get(&kind).cloned());
        let (count, seconds) = known.unwrap_or_else(|| {
            let handles = self.register(kind);
            if let Ok(mut known) = self.requests.write() {
                known.insert(kind, handles.clone());
            }
            handles
        });
        count.increment(1);
        seconds.record(took.as_secs_f64());
    }

    pub fn operation_finished(&self, kind: OperationKind, cost: OperationCost) {
        let known = self.operations.read().ok().and_then(|known| known.get(&kind).cloned());
        let meters = known.unwrap_or_else(|| {
            let meters = self.register_operation(kind);
            if let Ok(mut known) = self.operations.write() {
                known.insert(kind, meters.clone());
            }
            meters
        });
        meters.count.increment(1);
        meters.seconds.record(cost.took.as_secs_f64());
        meters.statements.record(f64::from(cost.statements));
        meters.rows_read.increment(cost.rows_read);
    }

    /// Somebody was refused for having no points left in this bucket.
    pub fn rate_limited(&self, bucket: &'static str) {
        let labels = vec![Label::new("bucket", bucket)];
        self.counter("pulso_rate_limited_total", labels).increment(1);
    }

    /// A tier of an answer came from what is kept, or not, and how old it was.
    pub fn kept_answered(&self, tier: &'static str, found: &'static str, age_s: u64) {
        let labels = vec![Label::new("tier", tier), Label::new("found", found)];
        self.counter("pulso_kept_answers_total", labels).increment(1);
        let age = u32::try_from(age_s).map_or(f64::MAX, f64::from);
        self.gauge("pulso_kept_age_seconds", vec![Label::new("tier", tier)]).set(age);
    }

    /// Operations that have their turn, and that wait for it.
    pub fn turns(&self, (taken, awaited): (usize, usize)) {
        self.turns_taken.set(number(taken));
        self.turns_awaited.set(number(awaited));
    }

    /// How busy the connections to the database are.
    pub fn pool(&self, state: PoolState) {
        let counts = [state.max, state.open, state.idle, state.waiting];
        for (gauge, count) in self.connections.iter().zip(counts) {
            gauge.set(number(count));
        }
    }

    /// A counter of its own for another part of the house.
    pub fn counter(&self, name: &'static str, labels: Vec<Label>) -> Counter {
        self.recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
    }

    /// A gauge of its own for another part of the house.
    pub fn gauge(&self, name: &'static str, labels: Vec<Label>) -> Gauge {
        self.recorder.register_gauge(&Key::from_parts(name, labels), &METADATA)
    }

    /// The page that Prometheus scrapes.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Moves recorded times into their buckets; must run now and then or they pile up.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    fn register_operation(&self, kind: OperationKind) -> OperationMeters {
        let labels = || vec![Label::new("kind", kind.kind), Label::new("outcome", kind.outcome)];
        let key = |name: &'static str| Key::from_parts(name, labels());
        let histogram = |name| self.recorder.register_histogram(&key(name), &METADATA);
        OperationMeters {
            count: self.counter("pulso_graphql_operations_total", labels()),
            seconds: histogram("pulso_graphql_operation_duration_seconds"),
            statements: histogram("pulso_graphql_operation_statements"),
            rows_read: self.counter("pulso_graphql_rows_read_total", labels()),
        }
    }

    fn register(&self, kind: RequestKind) -> (Counter, Histogram) {
        let labels = vec![
            Label::new("route", kind.route),
            Label::new("method", kind.method),
            Label::new("status", kind.status.to_string()),
        ];
        let count = Key::from_parts("pulso_http_requests_total", labels.clone());
        let seconds = Key::from_parts("pulso_http_request_duration_seconds", labels);
        (
            self.recorder.register_counter(&count, &METADATA),
            self.recorder.register_histogram(&seconds, &METADATA),
        )
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Something that is going on; a gauge counts it until this is dropped.
pub struct InFlight(Gauge);

impl InFlight {
    fn new(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn describe(recorder: &PrometheusRecorder) {
    for (name, about) in [
        ("pulso_build_info", "Version of the running binary"),
        ("pulso_http_requests_in_flight", "Requests being worked on"),
        ("pulso_websocket_connections", "Open WebSocket connections"),
        ("pulso_database_connections_max", "Connections for requests that there may be"),
        ("pulso_database_connections_open", "Connections for requests that are open"),
        ("pulso_database_connections_idle", "Open connections that nobody uses"),
        ("pulso_database_connections_awaited", "Requests that wait for a connection"),
        ("pulso_operations_running", "Operations that have their turn at the database"),
        ("pulso_operations_waiting", "Operations that wait for their turn"),
        ("pulso_events_unfolded", "Events of all tenants that charts do not show yet"),
        ("pulso_events_unfolded_age_seconds", "How long the oldest of them has waited"),
    ] {
        recorder.describe_gauge(name.into(), None, about.into());
    }
    for (name, about) in [
        ("pulso_http_requests_total", "Requests by route, method and status"),
        ("pulso_graphql_operations_total", "GraphQL operations by kind and outcome"),
        ("pulso_graphql_rows_read_total", "Rows that operations read from the database"),
        ("pulso_rate_limited_total", "Operations and requests refused by a rate limit"),
    ] {
        recorder.describe_counter(name.into(), None, about.into());
    }
    let seconds = Some(metrics::Unit::Seconds);
    for (name, unit, about) in [
        (
            "pulso_http_request_duration_seconds",
            seconds,
            "Time until the response was ready, by route, method and status",
        ),
        ("pulso_graphql_operation_duration_seconds", seconds, "Time that an operation took"),
        ("pulso_graphql_operation_statements", None, "SQL statements of an operation"),
    ] {
        recorder.describe_histogram(name.into(), unit, about.into());
    }
}
