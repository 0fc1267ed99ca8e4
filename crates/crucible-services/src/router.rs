//! How an event reaches the services that subscribe to it.
//!
//! A service **name is a group** of one or more instances that share the group's events. Each
//! instance has a slot with a bounded mailbox of four lanes, one for each priority; the mailbox
//! belongs to the slot, so mail survives a restart of the service. One delivery task for each
//! slot calls [`handle_event`](crate::service_traits::ServiceLifecycle::handle_event).
//!
//! What [`Router::route`] does with an event: validate it, show it to observers, find the groups
//! that it is meant for, select an instance of each, and put it into that instance's mailbox. A
//! full mailbox answers by [`Overflow`]. The receipt says where it was accepted; delivery is
//! **at most once**: an event that a service failed to handle is counted and not tried again.
//!
//! Order: events of one lane reach an instance in the order in which they were accepted, and
//! events of one ordering key always go to the same instance of a group.
//!
//! The routing table is an immutable snapshot, so a route takes no lock. Left out: retries,
//! breakers, dead letters, rules, events that survive the process.
//!
//! Where to start reading: [`Router::route`], then `mailbox` and `delivery`.

mod config;
mod delivery;
mod instance;
mod mailbox;
mod receipt;
mod select;
mod slot;
mod stats;
mod table;
mod tap;
mod turn;
mod validate;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures_util::future::join_all;

use crate::events::{DaemonEvent, EventFilter, EventPublisher};
use crate::ids::EventId;
use crate::tasks::TaskOwner;

pub use config::{Balance, Overflow, RoutingConfig, Subscription};
pub use delivery::{Fault, FaultKind};
pub use instance::{AddError, Instance, InstanceSpec};
pub use receipt::{Delivery, Refusal, RouteError, RoutingReceipt};
pub use stats::{GroupStats, InstanceStats, RouterStats};
pub use tap::{EventSubscription, Received};

use mailbox::Push;
use slot::Slot;
use table::{Choice, Table};
use tap::Tap;

/// Routes events to instances of services. Cheap to clone: all clones are one router.
#[derive(Clone, Debug)]
pub struct Router {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    table: ArcSwap<Table>,
    /// Held while the next table is built; never on the way of an event.
    edit: Mutex<()>,
    tap: Arc<Tap>,
    tasks: TaskOwner,
    routed: AtomicU64,
    invalid: AtomicU64,
}

/// A mailbox that was full, where the event may wait.
struct Full {
    /// The entry of the receipt that waits.
    index: usize,
    slot: Arc<Slot>,
    deadline: Duration,
}

impl Router {
    /// Creates a closed router without instances.
    ///
    /// `lane_max` bounds each lane of each mailbox, in events.
    #[must_use]
    pub fn new(config: RoutingConfig, lane_max: usize) -> Self {
        let tap = Tap::new(config.recent_events_max, config.recent_bytes_max);
        Self {
            inner: Arc::new(Inner {
                table: ArcSwap::from_pointee(Table::new(config, lane_max)),
                edit: Mutex::new(()),
                tap: Arc::new(tap),
                tasks: TaskOwner::new("router"),
                routed: AtomicU64::new(0),
                invalid: AtomicU64::new(0),
            }),
        }
    }

    /// Begins to route.
    pub fn open(&self) {
        self.edit(|table| table.is_open = true);
    }

    /// Ends routing: what comes later is answered with [`RouteError::Closed`], and observers end
    /// when they have read what is there. [`Router::open`] begins anew.
    pub fn close(&self) {
        self.edit(|table| table.is_open = false);
        self.inner.tap.close();
    }

    /// Says whether events are routed now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.inner.table.load().is_open
    }

    /// Takes over other settings, for all that is routed from now on.
    ///
    /// `recent_events_max` and `recent_bytes_max` are read once, by [`Router::new`].
    pub fn reconfigure(&self, config: RoutingConfig, lane_max: usize) {
        self.edit(|table| table.reconfigure(config, lane_max));
    }

    /// Routes `event` and waits, where a full mailbox answers so, until there is room.
    ///
    /// An untargeted event goes to every group that subscribes. `Ok` means that the event was
    /// seen by the observers; the receipt says which mailboxes accepted it.
    ///
    /// # Errors
    /// When the event is not valid or routing is closed; nobody has seen it then.
    ///
    /// # Cancel safety
    /// When the future is dropped, mailboxes that had room keep the event.
    pub async fn route(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        let (mut receipt, event, full) = self.dispatch(event)?;
        let waits = full.into_iter().map(|full| {
            let event = Arc::clone(&event);
            async move {
                let push = full.slot.wait_for_room(event, full.deadline).await;
                (full.index, Delivery::of(&full.slot, push))
            }
        });
        for (index, delivery) in join_all(waits).await {
            receipt.deliveries[index] = delivery;
        }
        Ok(receipt)
    }

    /// Routes `event` without waiting: a full mailbox that would make it wait refuses it.
    ///
    /// # Errors
    /// As [`Router::route`].
    pub fn offer(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        let (receipt, _event, full) = self.dispatch(event)?;
        for full in full {
            full.slot.count_rejected();
        }
        Ok(receipt)
    }

    /// Shows `event` to observers only, even while routing is closed.
    pub fn show(&self, event: DaemonEvent) {
        let size = validate::size_of(&event);
        self.inner.tap.record(Arc::new(event), size);
    }

    /// Observes every event that is accepted from now on and that `filter` wants.
    #[must_use]
    pub fn subscribe(&self, filter: EventFilter) -> EventSubscription {
        EventSubscription::new(Arc::clone(&self.inner.tap), filter)
    }

    /// Observes every event after the one called `after`; `None` when that one is forgotten.
    #[must_use]
    pub fn subscribe_after(
        &self,
        filter: EventFilter,
        after: EventId,
    ) -> Option<EventSubscription> {
        EventSubscription::after(Arc::clone(&self.inner.tap), filter, after)
    }

    /// Returns the last events that `filter` wants, at most `limit`, oldest first.
    #[must_use]
    pub fn recent(&self, filter: &EventFilter, limit: usize) -> Vec<Arc<DaemonEvent>> {
        self.inner.tap.recent(filter, limit)
    }

    /// Returns the counters as they are now.
    #[must_use]
    pub fn stats(&self) -> RouterStats {
        let table = self.inner.table.load();
        RouterStats {
            routed: self.inner.routed.load(Ordering::Relaxed),
            invalid: self.inner.invalid.load(Ordering::Relaxed),
            groups: table.groups().map(stats::of_group).collect(),
        }
    }

    /// Validates and shows the event, and offers it to each mailbox that it is meant for.
    fn dispatch(
        &self,
        event: DaemonEvent,
    ) -> Result<(RoutingReceipt, Arc<DaemonEvent>, Vec<Full>), RouteError> {
        let table = self.inner.table.load();
        if !table.is_open {
            return Err(RouteError::Closed);
        }
        let size = validate::check(&event, &table.config).inspect_err(|_| {
            self.inner.invalid.fetch_add(1, Ordering::Relaxed);
        })?;
        let event = Arc::new(event);
        self.inner.routed.fetch_add(1, Ordering::Relaxed);
        self.inner.tap.record(Arc::clone(&event), size);
        let mut receipt = RoutingReceipt::default();
        let mut full = Vec::new();
        table.choose(&event, |choice| match choice {
            Choice::None { service, refusal } => receipt.deliveries.push(Delivery {
                service,
                outcome: Err(refusal),
            }),
            Choice::Slot { slot, overflow } => {
                let push = slot.offer(Arc::clone(&event), overflow);
                if let (Push::Full, Overflow::Wait { deadline_ms }) = (&push, overflow)
                    && slot.is_delivering()
                {
                    full.push(Full {
                        index: receipt.deliveries.len(),
                        slot: Arc::clone(slot),
                        deadline: Duration::from_millis(deadline_ms),
                    });
                } else {
                    slot.count(&push);
                }
                receipt.deliveries.push(Delivery::of(slot, push));
            }
        });
        Ok((receipt, event, full))
    }

    /// Builds and publishes the next table.
    fn edit<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let _turn = self
            .inner
            .edit
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut next = Table::clone(&self.inner.table.load());
        let result = change(&mut next);
        self.inner.table.store(Arc::new(next));
        result
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tap.close();
        self.tasks.token().cancel();
    }
}

#[async_trait]
impl EventPublisher for Router {
    async fn publish(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        self.route(event).await
    }
}
