//! Whether another node counts as there, by the checks of its health: two in a row that miss take it out, and it is back
//! once it has been well for a while without a break.

use std::time::Duration;

/// Checks in a row that must miss.
pub const MISSES: u32 = 2;

/// What is thought of another node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Neighbour {
    up: bool,
    misses: u32,
    /// Since when every check found it well.
    well: Option<Duration>,
    /// Whether it has ever been taken out: only then must it prove itself.
    failed: bool,
}

impl Neighbour {
    /// Tells whether it counts.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// Tells whether the last check found it well.
    pub fn was_well(&self) -> bool {
        self.well.is_some()
    }

    /// Takes in a check at `now`; `timeout` is how long it must have been well to come back. Tells whether it counts
    /// otherwise than before.
    pub fn checked(&mut self, well: bool, now: Duration, timeout: Duration) -> bool {
        let before = self.up;
        if well {
            self.misses = 0;
            let since = *self.well.get_or_insert(now);
            self.up |= !self.failed || now.saturating_sub(since) >= timeout;
        } else {
            self.misses = self.misses.saturating_add(1);
            self.well = None;
            if self.misses >= MISSES {
                self.failed |= self.up;
                self.up = false;
            }
        }
        before != self.up
    }

    /// Takes in that it says itself that it leaves, or that a connection to it was refused: it is out at once. Tells
    /// whether it counts otherwise than before.
    pub fn left(&mut self) -> bool {
        self.misses = MISSES;
        self.well = None;
        self.failed |= self.up;
        std::mem::replace(&mut self.up, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    /// Checks at each tenth second; shows whether the node counts after each.
    fn after_each(checks: &str) -> String {
        let mut neighbour = Neighbour::default();
        let mut shown = String::new();
        for (index, check) in checks.chars().enumerate() {
            let now = Duration::from_secs(index as u64 * 10);
            match check {
                'l' => neighbour.left(),
                check => neighbour.checked(check == 'w', now, TIMEOUT),
            };
            shown.push(if neighbour.is_up() { '+' } else { '-' });
        }
        shown
    }

    #[test]
    fn a_node_is_out_after_two_misses_and_back_after_the_timeout() {
        for (checks, expected) in [
            ("w", "+"),
            ("m", "-"),
            ("mmmw", "---+"),
            ("wmwmw", "+++++"),
            ("wmmwwwww", "++----++"),
            ("wmmwwmwwww", "++-------+"),
            ("wlwwww", "+----+"),
        ] {
            assert_eq!(after_each(checks), expected, "{checks}");
        }
    }

    #[test]
    fn a_change_is_told_once() {
        let mut neighbour = Neighbour::default();
        assert!(neighbour.checked(true, TIMEOUT, TIMEOUT));
        assert!(!neighbour.checked(true, TIMEOUT, TIMEOUT));
        assert!(!neighbour.checked(false, TIMEOUT, TIMEOUT));
        assert!(!neighbour.was_well(), "one miss is enough to send nothing there");
        assert!(neighbour.checked(false, TIMEOUT, TIMEOUT));
        assert!(!neighbour.left());
    }
}
