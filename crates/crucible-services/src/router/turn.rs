//! Whose turn it is: which lane of a mailbox is served next.

/// How many lanes a mailbox has: one for each [`EventPriority`](crate::events::EventPriority).
pub(super) const LANES: usize = 4;

/// How many events of a lane may go before each lower lane with mail has had its share, lowest
/// lane first. The highest lane is 64 events of its own ahead: control never waits behind bulk,
/// and yet a flood of control cannot starve the rest.
const SHARES: [u8; LANES] = [1, 4, 16, 64];

/// Serves higher lanes first, and every lane with mail at least once in 85 turns.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    left: [u8; LANES],
}

impl Default for Turn {
    fn default() -> Self {
        Self { left: SHARES }
    }
}

impl Turn {
    /// Returns the lane to serve next, or `None` when no lane has mail.
    pub(super) fn next(&mut self, has_mail: impl Fn(usize) -> bool) -> Option<usize> {
        let lane = self.with_share_left(&has_mail).or_else(|| {
            self.left = SHARES;
            self.with_share_left(&has_mail)
        })?;
        self.left[lane] -= 1;
        Some(lane)
    }

    fn with_share_left(&self, has_mail: impl Fn(usize) -> bool) -> Option<usize> {
        (0..LANES)
            .rev()
            .find(|&lane| self.left[lane] > 0 && has_mail(lane))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_goes_first() {
        let mut turn = Turn::default();
        for _ in 0..10 {
            assert_eq!(turn.next(|lane| lane < 3), Some(2));
        }
        assert_eq!(turn.next(|_| true), Some(3));
    }

    #[test]
    fn flood_in_every_lane_is_served_by_shares() {
        let mut turn = Turn::default();
        let mut served = [0_u32; LANES];
        for _ in 0..850 {
            served[turn.next(|_| true).unwrap()] += 1;
        }
        assert_eq!(served, [10, 40, 160, 640]);
    }

    #[test]
    fn empty_mailbox_has_no_turn() {
        assert_eq!(Turn::default().next(|_| false), None);
    }
}
