//! Which event told of a note last, so that what is made of the note later follows that event.

use std::collections::{HashMap, VecDeque};

use crucible_services::events::Cause;

/// The most notes that are remembered; the ones told longest ago are forgotten first.
const NOTES_MAX: usize = 1_024;

/// The last events about notes.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    causes: HashMap<String, Cause>,
    /// The notes, the one that came first in front.
    order: VecDeque<String>,
}

impl Causes {
    /// Remembers the event that told of the note at `path`.
    pub(crate) fn remember(&mut self, path: &str, cause: Cause) {
        if self.causes.insert(path.to_owned(), cause).is_some() {
            return;
        }
        self.order.push_back(path.to_owned());
        if self.order.len() > NOTES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.causes.remove(&oldest);
        }
    }

    /// Returns the event that told of the note at `path`, if it is remembered.
    pub(crate) fn of(&self, path: &str) -> Option<Cause> {
        self.causes.get(path).copied()
    }
}

#[cfg(test)]
mod tests {
    use crucible_services::ids::EventId;

    use super::*;

    fn cause(depth: u16) -> Cause {
        Cause {
            event_id: EventId::fresh(),
            correlation_id: EventId::fresh().into(),
            depth,
        }
    }

    #[test]
    fn the_last_event_of_a_note_counts_and_the_oldest_notes_are_forgotten() {
        let mut causes = Causes::default();
        causes.remember("first", cause(0));
        causes.remember("first", cause(1));
        assert_eq!(causes.of("first").map(|cause| cause.depth), Some(1));
        for note in 0..NOTES_MAX {
            causes.remember(&note.to_string(), cause(0));
        }
        assert_eq!(causes.of("first"), None);
        assert!(causes.of("0").is_some());
        assert_eq!(causes.causes.len(), causes.order.len());
    }
}
