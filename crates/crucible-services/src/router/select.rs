//! Which instance of a group gets an event.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::config::Balance;
use super::slot::Slot;

/// Selects an instance by rendezvous hashing: the same key gives the same instance as long as
/// that instance exists, whatever becomes of the others (Thaler and Ravishankar, 1998).
pub(super) fn by_key<'a>(slots: &'a [Arc<Slot>], key: &str) -> Option<&'a Arc<Slot>> {
    if let [only] = slots {
        return Some(only);
    }
    slots.iter().max_by_key(|slot| {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        slot.id().number.hash(&mut hasher);
        hasher.finish()
    })
}

/// Selects an instance by `balance` among those that take mail out now, or among all if none does.
pub(super) fn by_balance<'a>(
    slots: &'a [Arc<Slot>],
    balance: Balance,
    turn: &AtomicUsize,
) -> Option<&'a Arc<Slot>> {
    if let [only] = slots {
        return Some(only);
    }
    let delivering = || slots.iter().filter(|slot| slot.is_delivering());
    let count = delivering().count();
    match balance {
        Balance::RoundRobin => {
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            // The count may have fallen since: then any will do.
            match turn.checked_rem(count).and_then(|at| delivering().nth(at)) {
                Some(slot) => Some(slot),
                None => slots.get(turn.checked_rem(slots.len())?),
            }
        }
        Balance::LeastLoaded if count > 0 => delivering().min_by_key(|slot| slot.load()),
        Balance::LeastLoaded => slots.iter().min_by_key(|slot| slot.load()),
    }
}
