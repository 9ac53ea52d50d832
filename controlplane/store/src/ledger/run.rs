//! Which batches follow on from a cursor.

use crate::NodeBatches;
use cliproxy_domain::{Batch, Seq};

/// The batches of one input that follow on from its cursor.
pub(super) struct Run<'a> {
    pub(super) batches: Vec<&'a Batch>,
    pub(super) last: Seq,
    pub(super) need_from: Option<Seq>,
}

impl<'a> Run<'a> {
    pub(super) fn after(mut last: Seq, input: &'a NodeBatches) -> Self {
        let mut offered: Vec<&Batch> =
            input.batches.iter().filter(|batch| batch.incarnation == input.incarnation).collect();
        offered.sort_by_key(|batch| batch.seq);

        let mut batches = Vec::new();
        let mut need_from = None;
        for batch in offered {
            if batch.seq <= last {
                continue;
            }
            if batch.seq != last.next() {
                need_from = Some(last.next());
                break;
            }
            last = batch.seq;
            batches.push(batch);
        }
        Self { batches, last, need_from }
    }
}
