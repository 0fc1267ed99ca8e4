//! The text format of Prometheus, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//!
//! Names follow the conventions: base units, `_total` on counters. Labels are the names of
//! services and words from fixed lists, never anything from a vault or a request.

use std::fmt::Write as _;

use crucible_core::{CoreMetrics, ServiceMetrics};
use crucible_services::data_store::StoreStats;

/// The media type of the format.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How many services are shown one by one; the sums at the top count all of them.
const SERVICES_MAX: usize = 200;

/// Writes all figures.
pub(super) fn write(metrics: &CoreMetrics, stats: Option<&StoreStats>) -> String {
    let mut text = Text::default();
    text.family(
        "crucible_build_info",
        Kind::Gauge,
        "The version of the daemon.",
    )
    .labelled(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    core(&mut text, metrics);
    events(&mut text, metrics);
    services(&mut text, metrics);
    if let Some(stats) = stats {
        store(&mut text, stats);
    }
    text.0
}

fn core(text: &mut Text, metrics: &CoreMetrics) {
    text.family(
        "crucible_uptime_seconds",
        Kind::Gauge,
        "How long the core has been running.",
    )
    .value(milliseconds(metrics.uptime_ms));
    text.family(
        "crucible_services",
        Kind::Gauge,
        "Services that are registered.",
    )
    .value(size(metrics.services_registered));
    text.family(
        "crucible_services_running",
        Kind::Gauge,
        "Services that run.",
    )
    .value(size(metrics.services_running));
}

fn events(text: &mut Text, metrics: &CoreMetrics) {
    let events = &metrics.events;
    for (name, help, value) in [
        ("routed", "Valid events that were routed.", events.routed),
        (
            "invalid",
            "Events that were refused as invalid.",
            events.invalid,
        ),
        (
            "accepted",
            "Events that mailboxes accepted.",
            events.accepted,
        ),
        ("handled", "Events that services handled.", events.delivered),
        (
            "rejected",
            "Events that mailboxes refused.",
            events.rejected,
        ),
        (
            "dropped",
            "Accepted events that were thrown away.",
            events.dropped,
        ),
        (
            "failed",
            "Events whose handler did not succeed.",
            events.failed,
        ),
    ] {
        text.family(
            &format!("crucible_events_{name}_total"),
            Kind::Counter,
            help,
        )
        .value(count(value));
    }
    text.family(
        "crucible_events_queued",
        Kind::Gauge,
        "Events that wait in mailboxes.",
    )
    .value(size(events.queued));
}

/// A figure of a service: its name, kind and meaning, and how it is read.
type Figure = (&'static str, Kind, &'static str, fn(&ServiceMetrics) -> f64);

const FIGURES: [Figure; 10] = [
    ("up", Kind::Gauge, "1 when the service runs.", |s| {
        f64::from(u8::from(s.state == crucible_core::ServiceState::Running))
    }),
    (
        "state_seconds",
        Kind::Gauge,
        "How long it has been in its state.",
        |s| milliseconds(s.state_ms),
    ),
    (
        "restarts_total",
        Kind::Counter,
        "How often it was started again.",
        |s| count(s.restarts),
    ),
    (
        "health_checks_total",
        Kind::Counter,
        "Health checks that were made.",
        |s| count(s.health_checks),
    ),
    (
        "health_checks_failed_total",
        Kind::Counter,
        "Health checks that were bad.",
        |s| count(s.health_checks_bad),
    ),
    (
        "events_accepted_total",
        Kind::Counter,
        "Events that its mailbox accepted.",
        |s| count(s.accepted),
    ),
    (
        "events_handled_total",
        Kind::Counter,
        "Events that it handled.",
        |s| count(s.delivered),
    ),
    (
        "events_rejected_total",
        Kind::Counter,
        "Events that its mailbox refused.",
        |s| count(s.rejected),
    ),
    (
        "events_dropped_total",
        Kind::Counter,
        "Accepted events that were thrown away.",
        |s| count(s.dropped),
    ),
    (
        "events_queued",
        Kind::Gauge,
        "Events that wait in its mailbox.",
        |s| size(s.queued),
    ),
];

fn services(text: &mut Text, metrics: &CoreMetrics) {
    let shown = || metrics.services.iter().take(SERVICES_MAX);
    for (name, kind, help, read) in FIGURES {
        let mut family = text.family(&format!("crucible_service_{name}"), kind, help);
        for (service, figures) in shown() {
            family.labelled(&[("service", service)], read(figures));
        }
    }
    let mut failed = text.family(
        "crucible_service_events_failed_total",
        Kind::Counter,
        "Events whose handler did not succeed, by reason.",
    );
    for (service, figures) in shown() {
        for (reason, value) in [
            ("error", figures.failed),
            ("timeout", figures.timed_out),
            ("panic", figures.panicked),
            ("let_go", figures.let_go),
        ] {
            failed.labelled(&[("service", service), ("reason", reason)], count(value));
        }
    }
    let mut handling = text.family(
        "crucible_service_event_handling_quantile_seconds",
        Kind::Gauge,
        "Within what time events were handled, at most twice the true value.",
    );
    for (service, figures) in shown() {
        for (quantile, us) in [
            ("0.5", figures.handling_p50_us),
            ("0.99", figures.handling_p99_us),
        ] {
            let labels = [("service", service.as_str()), ("quantile", quantile)];
            handling.labelled(&labels, count(us) / 1e6);
        }
    }
}

fn store(text: &mut Text, stats: &StoreStats) {
    for (name, help, value) in [
        ("notes", "Notes in the index.", stats.notes),
        ("blocks", "Blocks in the index.", stats.blocks),
        ("links", "Links that notes make.", stats.links),
        (
            "links_unresolved",
            "Links that lead nowhere.",
            stats.links_unresolved,
        ),
        ("tags", "Distinct tags.", stats.tags),
        (
            "problems",
            "Faults and skipped files of the vault.",
            stats.problems,
        ),
        (
            "text_pending",
            "Notes that search does not know yet.",
            stats.text_pending,
        ),
        (
            "index_size_bytes",
            "Size of the index on disk.",
            stats.index_size_bytes,
        ),
    ] {
        text.family(&format!("crucible_{name}"), Kind::Gauge, help)
            .value(count(value));
    }
}

fn milliseconds(value: u64) -> f64 {
    count(value) / 1e3
}

fn size(value: usize) -> f64 {
    count(u64::try_from(value).unwrap_or(u64::MAX))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the format has numbers of 64-bit floating point only"
)]
const fn count(value: u64) -> f64 {
    value as f64
}

/// What a family of figures is.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// The text, growing by families.
#[derive(Default)]
struct Text(String);

/// Writing into a string cannot fail.
macro_rules! put {
    ($text:expr, $($what:tt)*) => {{
        let _never_fails = writeln!($text.0, $($what)*);
    }};
}

impl Text {
    /// Begins a family; its samples follow.
    fn family(&mut self, name: &str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        put!(self, "# HELP {name} {help}");
        put!(self, "# TYPE {name} {kind}");
        Family {
            name: name.to_owned(),
            text: self,
        }
    }
}

/// A family whose samples are being written.
struct Family<'a> {
    name: String,
    text: &'a mut Text,
}

impl Family<'_> {
    fn value(&mut self, value: f64) {
        put!(self.text, "{} {value}", self.name);
    }

    fn labelled(&mut self, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
            .collect();
        put!(self.text, "{}{{{}}} {value}", self.name, labels.join(","));
    }
}

/// Escapes a label's value.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
