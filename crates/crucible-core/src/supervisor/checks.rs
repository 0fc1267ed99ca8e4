//! How a supervisor asks its service how it is, and hands it configuration.

use std::sync::Arc;
use std::time::Duration;

use crucible_services::clock;
use crucible_services::health::{HealthStatus, ServiceHealth};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::{CallError, guarded};
use super::message::Done;
use super::phase::Phase;
use super::starting::{BLOCKED_AFTER, answer};
use super::verdict::Verdict;
use super::{Supervisor, Then};
use crate::health::HealthRecord;

/// The health checks of one run.
#[derive(Debug, Default)]
pub(super) struct Checks {
    verdict: Verdict,
    /// When the next check is due; `None` while the service does not run.
    next: Option<Instant>,
    /// When the last check began.
    last: Option<Instant>,
    /// When the check that is under way counts as blocking its thread.
    give_up: Option<Instant>,
    /// Whether an earlier check still blocks a thread.
    is_blocked: bool,
    /// Who asked for a check.
    asked: Vec<oneshot::Sender<ServiceHealth>>,
}

impl Checks {
    /// Begins anew: the first check is made at once.
    pub(super) fn begin(&mut self) {
        self.verdict = Verdict::default();
        self.next = Some(Instant::now());
        self.give_up = None;
    }

    /// Makes no more checks, and answers those who asked.
    pub(super) fn end(&mut self) {
        self.next = None;
        self.give_up = None;
        for reply in std::mem::take(&mut self.asked) {
            answer(reply, ServiceHealth::unhealthy("it stopped meanwhile"));
        }
    }

    /// Takes over another interval.
    pub(super) fn reschedule(&mut self, interval: Duration) {
        if let (Some(next), Some(last)) = (&mut self.next, self.last) {
            *next = (*next).min(last + interval);
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        match (self.next, self.give_up) {
            (Some(_), Some(give_up)) => Some(give_up),
            (next, _) => next,
        }
    }
}

impl Supervisor {
    pub(super) fn check_interval(&self) -> Duration {
        Duration::from_secs(self.parts.settings.borrow().health_check_interval_s)
    }

    /// The next check is due, or the one under way is overdue.
    pub(super) fn check(&mut self) {
        let now = Instant::now();
        let is_overdue = self.checks.give_up.take().is_some();
        if is_overdue || self.checks.is_blocked {
            self.checks.is_blocked = true;
            self.checks.next = Some(now + self.check_interval());
            let took = now.duration_since(self.checks.last.unwrap_or(now));
            let blocked = ServiceHealth::unhealthy("the health check blocks its thread");
            self.take_answer(&blocked, took);
            return;
        }
        let deadline = self.parts.options.health_deadline;
        self.checks.last = Some(now);
        self.checks.next = Some(now + self.check_interval());
        self.checks.give_up = Some(now + deadline + BLOCKED_AFTER);
        let service = Arc::clone(&self.parts.service);
        let (done, run_id) = (self.done.clone(), self.run_id);
        let name = format!("health check of {}", self.parts.name);
        self.parts.tasks.spawn(name, async move {
            let token = CancellationToken::new();
            let result = guarded(deadline, &token, || service.health_check()).await;
            let answer = result.unwrap_or_else(|error| {
                ServiceHealth::unhealthy(format!("the health check failed: {error}"))
            });
            let report = Done::Checked {
                run_id,
                answer,
                took: now.elapsed(),
            };
            // When nobody listens the core is gone.
            let _told = done.send(report).await.is_ok();
        });
    }

    pub(super) fn check_on_demand(&mut self, reply: oneshot::Sender<ServiceHealth>) {
        if !matches!(self.phase, Phase::Running { .. } | Phase::Yielding) {
            let state = self.shown.borrow().status.state;
            let health = ServiceHealth {
                status: HealthStatus::Unknown,
                message: Some(format!("it is {state}")),
                ..ServiceHealth::default()
            };
            answer(reply, health);
            return;
        }
        self.checks.asked.push(reply);
        if self.checks.give_up.is_none() {
            self.check();
        }
    }

    pub(super) fn on_checked(&mut self, run_id: u64, health: &ServiceHealth, took: Duration) {
        self.checks.is_blocked = false;
        let is_awaited = self.checks.give_up.take().is_some();
        if run_id == self.run_id && is_awaited {
            self.take_answer(health, took);
        }
    }

    fn take_answer(&mut self, health: &ServiceHealth, took: Duration) {
        let name = &self.parts.name;
        let is_bad = !matches!(
            health.status,
            HealthStatus::Healthy | HealthStatus::Degraded
        );
        let has_turned = self.checks.verdict.take(health);
        let verdict = self.checks.verdict.health().clone();
        self.parts.log.add(HealthRecord {
            service: name.clone(),
            at: clock::now(),
            health: health.clone(),
            verdict: verdict.status,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
        if self.parts.settings.borrow().enable_debug {
            tracing::info!(
                service.name = %name,
                health.answer = ?health.status,
                health.verdict = ?verdict.status,
                duration_ms = took.as_millis(),
                "health check"
            );
        }
        self.show(|shown| {
            shown.checks += 1;
            shown.checks_bad += u64::from(is_bad);
            shown.status.ready = verdict.status != HealthStatus::Unhealthy;
            shown.status.health = verdict.clone();
        });
        let asked = std::mem::take(&mut self.checks.asked);
        if has_turned || !asked.is_empty() {
            self.parts.tell.health(name, verdict.status, health);
        }
        for reply in asked {
            answer(reply, health.clone());
        }
        if self.checks.verdict.is_beyond_hope() {
            let reason = health.message.as_deref().unwrap_or("no reason given");
            let reason = format!("found unhealthy: {reason}");
            self.on_beyond_hope(&reason);
        }
    }

    fn on_beyond_hope(&mut self, reason: &str) {
        let is_running = matches!(self.phase, Phase::Running { .. });
        let is_known = self.shown.borrow().status.last_error.as_deref() == Some(reason);
        if is_running && (self.auto_recovery() || !is_known) {
            self.tell_failure(reason);
            if self.auto_recovery() {
                self.end_run(Then::Recover);
            }
        }
    }

    pub(super) fn configure(&self, section: Value, reply: oneshot::Sender<Result<(), CallError>>) {
        let service = Arc::clone(&self.parts.service);
        let deadline = self.parts.options.configure_deadline;
        let name = format!("configuration of {}", self.parts.name);
        self.parts.tasks.spawn(name, async move {
            let token = CancellationToken::new();
            let result = guarded(deadline, &token, || service.configure(&section)).await;
            answer(reply, result);
        });
    }
}
