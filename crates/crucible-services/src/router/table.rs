//! The routing table: which groups there are and what they want. Immutable once published.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::config::{Overflow, RoutingConfig, Subscription};
use super::receipt::Refusal;
use super::select;
use super::slot::Slot;
use crate::events::{DaemonEvent, ServiceTarget};
use crate::ids::{InstanceId, ServiceName};
use crate::service_traits::ServiceKind;

/// A snapshot of all groups and settings.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) is_open: bool,
    pub(super) config: RoutingConfig,
    pub(super) lane_max: usize,
    groups: BTreeMap<ServiceName, Group>,
    /// The number of the next instance, also of groups that are gone: numbers are not used twice.
    next_numbers: BTreeMap<ServiceName, u32>,
}

/// A service name with its instances.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: ServiceName,
    pub(super) kind: ServiceKind,
    pub(super) subscriptions: Arc<[Subscription]>,
    pub(super) slots: Vec<Arc<Slot>>,
    /// Counts for round robin; shared by successive tables.
    turn: Arc<AtomicUsize>,
}

/// What becomes of an event at one group.
pub(super) enum Choice<'a> {
    /// It goes to this slot.
    Slot {
        slot: &'a Arc<Slot>,
        overflow: Overflow,
    },
    /// It goes nowhere.
    None {
        service: ServiceName,
        refusal: Refusal,
    },
}

impl Table {
    pub(super) const fn new(config: RoutingConfig, lane_max: usize) -> Self {
        Self {
            is_open: false,
            config,
            lane_max,
            groups: BTreeMap::new(),
            next_numbers: BTreeMap::new(),
        }
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    pub(super) fn group(&self, name: &ServiceName) -> Option<&Group> {
        self.groups.get(name)
    }

    /// Returns the group, which is created empty if it is new.
    pub(super) fn group_entry(
        &mut self,
        name: ServiceName,
        kind: ServiceKind,
        subscriptions: Vec<Subscription>,
    ) -> &mut Group {
        self.groups.entry(name.clone()).or_insert_with(|| Group {
            name,
            kind,
            subscriptions: subscriptions.into(),
            slots: Vec::new(),
            turn: Arc::default(),
        })
    }

    /// Returns the number for a new instance of `name`.
    pub(super) fn take_number(&mut self, name: &ServiceName) -> u32 {
        let next = self.next_numbers.entry(name.clone()).or_default();
        let number = *next;
        *next += 1;
        number
    }

    /// Takes an instance out, and its group if it was the last.
    pub(super) fn remove(&mut self, id: &InstanceId) {
        if let Some(group) = self.groups.get_mut(&id.service) {
            group.slots.retain(|slot| slot.id() != id);
            if group.slots.is_empty() {
                self.groups.remove(&id.service);
            }
        }
    }

    pub(super) fn reconfigure(&mut self, config: RoutingConfig, lane_max: usize) {
        for slot in self.groups.values().flat_map(|group| &group.slots) {
            slot.mailbox.set_lane_max(lane_max);
            slot.handle_deadline_ms
                .store(config.handle_deadline_ms, Ordering::Relaxed);
        }
        self.config = config;
        self.lane_max = lane_max;
    }

    /// Calls `each` once for every group that `event` is meant for.
    pub(super) fn choose<'a>(&'a self, event: &DaemonEvent, mut each: impl FnMut(Choice<'a>)) {
        if event.targets.is_empty() {
            for group in self.groups.values() {
                if let Some(overflow) = group.wants(event) {
                    each(self.choice(group, event, overflow));
                }
            }
            return;
        }
        for (at, target) in event.targets.iter().enumerate() {
            let is_new = |group: &Group| {
                let earlier = &event.targets[..at];
                !earlier.iter().any(|earlier| group.is_meant(earlier))
            };
            self.choose_target(event, target, &is_new, &mut each);
        }
    }

    fn choose_target<'a>(
        &'a self,
        event: &DaemonEvent,
        target: &ServiceTarget,
        is_new: &dyn Fn(&Group) -> bool,
        each: &mut dyn FnMut(Choice<'a>),
    ) {
        match target {
            ServiceTarget::Service(name) => match self.groups.get(name) {
                Some(group) if is_new(group) => each(self.choice(group, event, None)),
                Some(_) => {}
                None => each(Choice::None {
                    service: name.clone(),
                    refusal: Refusal::NoSuchService,
                }),
            },
            ServiceTarget::Kind(kind) => {
                let mut has_any = false;
                for group in self.groups.values().filter(|group| group.kind == *kind) {
                    has_any = true;
                    if is_new(group) {
                        each(self.choice(group, event, None));
                    }
                }
                if !has_any {
                    each(Choice::None {
                        service: ServiceName::new(kind.to_string()),
                        refusal: Refusal::NoSuchService,
                    });
                }
            }
            ServiceTarget::Instance(id) => each(self.choose_instance(id)),
        }
    }

    fn choose_instance(&self, id: &InstanceId) -> Choice<'_> {
        let Some(group) = self.groups.get(&id.service) else {
            return Choice::None {
                service: id.service.clone(),
                refusal: Refusal::NoSuchService,
            };
        };
        match group.slots.iter().find(|slot| slot.id() == id) {
            Some(slot) => Choice::Slot {
                slot,
                overflow: self.config.overflow,
            },
            None => Choice::None {
                service: id.service.clone(),
                refusal: Refusal::NoSuchInstance,
            },
        }
    }

    fn choice<'a>(
        &self,
        group: &'a Group,
        event: &DaemonEvent,
        overflow: Option<Overflow>,
    ) -> Choice<'a> {
        let slot = match &event.metadata.ordering_key {
            Some(key) => select::by_key(&group.slots, key),
            None => select::by_balance(&group.slots, self.config.balance, &group.turn),
        };
        match slot {
            Some(slot) => Choice::Slot {
                slot,
                overflow: overflow.unwrap_or(self.config.overflow),
            },
            None => Choice::None {
                service: group.name.clone(),
                refusal: Refusal::NoSuchInstance,
            },
        }
    }
}

impl Group {
    /// Returns the overflow answer of the first subscription that wants the event.
    fn wants(&self, event: &DaemonEvent) -> Option<Option<Overflow>> {
        let subscription = self
            .subscriptions
            .iter()
            .find(|subscription| subscription.filter.matches(event))?;
        Some(subscription.overflow)
    }

    /// Says whether the target means this group as a whole.
    fn is_meant(&self, target: &ServiceTarget) -> bool {
        match target {
            ServiceTarget::Service(name) => *name == self.name,
            ServiceTarget::Kind(kind) => *kind == self.kind,
            ServiceTarget::Instance(_) => false,
        }
    }
}
