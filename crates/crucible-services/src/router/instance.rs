//! What a supervisor holds of an instance: when it takes mail, when not, and how it goes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::config::Subscription;
use super::delivery::{self, Fault};
use super::slot::{Gate, Slot};
use super::stats::InstanceStats;
use super::{Router, table::Group};
use crate::ids::{InstanceId, ServiceName};
use crate::service_traits::{ServiceKind, ServiceLifecycle};

/// How many reports of faults may wait for the supervisor; more are lost (but counted).
const FAULTS_MAX: usize = 64;

/// How long an event handler that is let go has to reach its next point of waiting.
const CUT_GRACE: Duration = Duration::from_secs(1);

/// What is needed to add an instance to a group.
#[derive(Clone, Debug)]
pub struct InstanceSpec {
    /// The group.
    pub service: ServiceName,
    /// The group's kind.
    pub kind: ServiceKind,
    /// What the group wants; taken from its first instance.
    pub subscriptions: Vec<Subscription>,
}

/// Why an instance could not be added. Messages read after "failed to add the instance: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The group exists and is of another kind.
    #[error("the service {service} is of kind {kind} already")]
    OtherKind {
        /// The group.
        service: ServiceName,
        /// Its kind.
        kind: ServiceKind,
    },
}

/// The supervisor's hold on one instance. Mail is accepted from the start, and taken out after
/// [`Instance::resume`]. The instance stays in its group until [`Instance::remove`].
#[derive(Debug)]
pub struct Instance {
    router: Router,
    slot: Arc<Slot>,
}

impl Router {
    /// Adds an instance of a service and returns the hold on it, with the reports of its faults.
    ///
    /// # Errors
    /// When the group exists with another kind.
    pub fn add(
        &self,
        spec: InstanceSpec,
        service: Arc<dyn ServiceLifecycle>,
    ) -> Result<(Instance, mpsc::Receiver<Fault>), AddError> {
        let (reports, faults) = mpsc::channel(FAULTS_MAX);
        let slot = self.edit(|table| {
            let lane_max = table.lane_max;
            let deadline_ms = table.config.handle_deadline_ms;
            if let Some(Group { name, kind, .. }) = table.group(&spec.service)
                && *kind != spec.kind
            {
                return Err(AddError::OtherKind {
                    service: name.clone(),
                    kind: kind.clone(),
                });
            }
            let number = table.take_number(&spec.service);
            let id = InstanceId {
                service: spec.service.clone(),
                number,
            };
            let group = table.group_entry(spec.service, spec.kind, spec.subscriptions);
            let slot = Arc::new(Slot::new(id, service, reports, lane_max, deadline_ms));
            group.slots.push(Arc::clone(&slot));
            Ok(slot)
        })?;
        let task = delivery::run(Arc::clone(&slot));
        self.inner
            .tasks
            .spawn(format!("delivery to {}", slot.id()), task);
        let router = self.clone();
        Ok((Instance { router, slot }, faults))
    }
}

impl Instance {
    /// Returns the instance's identifier.
    #[must_use]
    pub fn id(&self) -> &InstanceId {
        self.slot.id()
    }

    /// Returns the instance's counters as they are now.
    #[must_use]
    pub fn stats(&self) -> InstanceStats {
        self.slot.stats()
    }

    /// Begins, or goes on, to accept mail and to have it handled.
    pub fn resume(&self) {
        self.accept();
        self.slot.set_gate(Gate::Open);
    }

    /// Accepts mail without having it handled yet.
    pub fn accept(&self) {
        self.slot.mailbox.reopen();
    }

    /// Refuses new mail; what is in the mailbox stays.
    pub fn refuse(&self) {
        self.slot.mailbox.close();
    }

    /// Has no more mail handled; what is in the mailbox stays and more is accepted.
    ///
    /// Waits for the event in hand, and lets go of it after `deadline`.
    pub async fn pause(&self, deadline: Duration) {
        self.slot.set_gate(Gate::Paused);
        if self.slot.rested(deadline, |_| true).await {
            return;
        }
        self.slot.set_gate(Gate::Cut);
        if !self.slot.rested(CUT_GRACE, |_| true).await {
            tracing::error!(
                service.name = %self.id().service,
                "an event handler blocks its thread and cannot be stopped"
            );
        }
    }

    /// Refuses new mail and waits until what was accepted has been handled, at most `deadline`.
    ///
    /// Afterwards nothing more is handled. Returns how many events are left.
    pub async fn drain(&self, deadline: Duration) -> usize {
        self.slot.mailbox.close();
        if self.slot.is_delivering() {
            self.slot
                .rested(deadline, |slot| slot.mailbox.len() == 0)
                .await;
        }
        self.slot.mailbox.len()
    }

    /// Refuses new mail, throws away what is in the mailbox, and returns how much that was.
    ///
    /// Nothing may be delivered meanwhile: see [`Instance::pause`].
    pub async fn discard(&self) -> u64 {
        self.slot.mailbox.close();
        self.slot.discard().await
    }

    /// Takes the instance out of its group for good: what is left in its mailbox is counted as
    /// dropped, and the event in hand is let go.
    pub async fn remove(&self, deadline: Duration) {
        self.leave();
        self.slot.rested(deadline, |_| true).await;
        self.slot.discard().await;
    }

    fn leave(&self) {
        self.router.edit(|table| table.remove(self.slot.id()));
        self.slot.mailbox.close();
        self.slot.set_gate(Gate::Ended);
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.leave();
    }
}
