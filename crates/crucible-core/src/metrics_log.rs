//! Puts figures together, and keeps samples of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crucible_services::clock;
use crucible_services::router::{InstanceStats, Router};
use tokio::time::Instant;

use crate::metrics::{CoreMetrics, EventMetrics, MetricsSample, ServiceMetrics};
use crate::registry::{Member, Registry};
use crate::state::{CoreState, ServiceState};

/// How many samples are kept: a day at the default interval. The oldest go first.
const SAMPLES_MAX: usize = 1_440;

/// Samples of the figures, and from when on rates are counted.
#[derive(Debug, Default)]
pub(crate) struct MetricsLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    samples: VecDeque<MetricsSample>,
    /// Since when the core runs.
    begun: Option<Instant>,
    base: Option<Base>,
}

/// Where rates are counted from.
#[derive(Clone, Copy, Debug)]
struct Base {
    at: Instant,
    routed: u64,
    delivered: u64,
}

impl MetricsLog {
    /// Begins to count the uptime.
    pub(crate) fn begin(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.begun = Some(Instant::now());
        kept.base = None;
    }

    /// Takes a sample and counts rates from here on.
    pub(crate) fn sample(&self, state: CoreState, registry: &Registry, router: &Router) {
        let metrics = self.now(state, registry, router);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.base = Some(Base {
            at: Instant::now(),
            routed: metrics.events.routed,
            delivered: metrics.events.delivered,
        });
        if kept.samples.len() == SAMPLES_MAX {
            kept.samples.pop_front();
        }
        let at = clock::now();
        kept.samples.push_back(MetricsSample { at, metrics });
    }

    /// Returns all samples, oldest first.
    pub(crate) fn all(&self) -> Vec<MetricsSample> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.samples.iter().cloned().collect()
    }

    /// Returns the figures of this moment.
    pub(crate) fn now(
        &self,
        state: CoreState,
        registry: &Registry,
        router: &Router,
    ) -> CoreMetrics {
        let (begun, base) = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            (kept.begun, kept.base)
        };
        let stats = router.stats();
        let total = stats.total();
        let mut by_name: BTreeMap<&str, &InstanceStats> = BTreeMap::new();
        for group in &stats.groups {
            if let Some(first) = group.instances.first() {
                by_name.insert(&group.service, first);
            }
        }
        let services: BTreeMap<String, ServiceMetrics> = registry
            .members()
            .values()
            .map(|member| {
                let stats = by_name.get(member.name.as_str()).copied();
                (member.name.clone(), of_service(member, stats))
            })
            .collect();
        let is_up = matches!(state, CoreState::Running | CoreState::Stopping);
        let begun = begun.filter(|_| is_up);
        let base = base.or(begun.map(|at| Base {
            at,
            routed: 0,
            delivered: 0,
        }));
        CoreMetrics {
            state,
            uptime_ms: begun.map_or(0, millis_since),
            services_registered: services.len(),
            services_running: services
                .values()
                .filter(|service| service.state == ServiceState::Running)
                .count(),
            restarts: services.values().map(|service| service.restarts).sum(),
            events: EventMetrics {
                routed: stats.routed,
                invalid: stats.invalid,
                accepted: total.accepted,
                delivered: total.delivered,
                rejected: total.rejected,
                dropped: total.dropped,
                failed: total.failed + total.timed_out + total.panicked + total.let_go,
                queued: total.queued,
                routed_per_s: rate(base, stats.routed, |base| base.routed),
                delivered_per_s: rate(base, total.delivered, |base| base.delivered),
            },
            services,
        }
    }
}

fn millis_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn rate(base: Option<Base>, now: u64, before: impl Fn(&Base) -> u64) -> f64 {
    let Some(base) = base else {
        return 0.0;
    };
    let seconds = base.at.elapsed().as_secs_f64();
    if seconds <= 0.0 {
        return 0.0;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate needs no more than 52 bits"
    )]
    let count = now.saturating_sub(before(&base)) as f64;
    count / seconds
}

fn of_service(member: &Member, stats: Option<&InstanceStats>) -> ServiceMetrics {
    let snapshot = member.snapshot.borrow();
    let mut metrics = ServiceMetrics {
        state: snapshot.status.state,
        state_ms: millis_since(snapshot.entered),
        restarts: snapshot.status.restarts,
        health_checks: snapshot.checks,
        health_checks_bad: snapshot.checks_bad,
        ..ServiceMetrics::default()
    };
    if let Some(stats) = stats {
        metrics.accepted = stats.accepted;
        metrics.delivered = stats.delivered;
        metrics.rejected = stats.rejected;
        metrics.dropped = stats.dropped;
        metrics.failed = stats.failed;
        metrics.timed_out = stats.timed_out;
        metrics.panicked = stats.panicked;
        metrics.let_go = stats.let_go;
        metrics.queued = stats.queued;
        metrics.handling_p50_us = stats.handling_p50_us;
        metrics.handling_p99_us = stats.handling_p99_us;
    }
    metrics
}
