//! The ids of the events that were heard lately.

use std::collections::{BTreeSet, VecDeque};

/// How many are remembered. An event that comes again after more than this is merged again, which at worst
/// lengthens a rest by the time between the two.
const KEEP: usize = 10_000;

/// The ids of the last events.
#[derive(Default)]
pub(super) struct Recent {
    ids: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Recent {
    /// Notes an id; tells whether it is new.
    pub(super) fn insert(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > KEEP
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_until_many_others_have_come() {
        let mut recent = Recent::default();
        assert!(recent.insert("first"));
        assert!(!recent.insert("first"));
        for i in 0..KEEP {
            recent.insert(&i.to_string());
        }
        assert!(recent.insert("first"));
        assert_eq!(recent.ids.len(), KEEP);
    }
}
