//! How many nodes at once are found out what they miss: when a replica goes, all of its nodes come to the others.

use crate::metrics::PlaneMetrics;
use cliproxy_host::Entropy;
use cliproxy_proto::RETRY_PUSHBACK;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::{Status, metadata::MetadataValue};

/// How long a node may wait for its turn before it is asked to come later.
const TURN: Duration = Duration::from_millis(100);
/// When it is asked to come again, in milliseconds: at random between the two.
const LATER_MS: (u64, u64) = (100, 1_000);

/// The places for nodes that resume. Clones are the same.
#[derive(Clone)]
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    entropy: Entropy,
    metrics: PlaneMetrics,
    #[cfg(test)]
    at_once: usize,
}

impl Admission {
    pub(crate) fn new(at_once: usize, entropy: Entropy, metrics: PlaneMetrics) -> Self {
        let at_once = at_once.max(1);
        Self {
            places: Arc::new(Semaphore::new(at_once)),
            entropy,
            metrics,
            #[cfg(test)]
            at_once,
        }
    }

    /// Takes a place; it is free again when what this gives is dropped.
    ///
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED` with a time to come again when none is free within 100 ms.
    pub(super) async fn enter(&self) -> Result<SemaphorePermit<'_>, Status> {
        match tokio::time::timeout(TURN, self.places.acquire()).await {
            Ok(Ok(place)) => {
                #[cfg(test)]
                self.metrics.sync.most_at_once(self.at_once - self.places.available_permits());
                Ok(place)
            }
            // Nobody closes the semaphore.
            Ok(Err(_)) | Err(_) => {
                self.metrics.sync.put_off.inc();
                Err(self.later())
            }
        }
    }

    fn later(&self) -> Status {
        let (least, most) = LATER_MS;
        let ms = least + self.entropy.next_u64() % (most - least + 1);
        let mut status = Status::resource_exhausted(format!("too many nodes at once; come again in {ms} ms"));
        status.metadata_mut().insert(RETRY_PUSHBACK, MetadataValue::from(ms));
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_is_told_when_to_come_again() {
        let admission = Admission::new(2, Entropy::seeded(1), PlaneMetrics::new());
        let places = (admission.enter().await.unwrap(), admission.enter().await.unwrap());
        let mut waits = Vec::new();
        for _ in 0..100 {
            let status = admission.enter().await.unwrap_err();
            assert_eq!(status.code(), tonic::Code::ResourceExhausted);
            let ms = status.metadata().get(RETRY_PUSHBACK).unwrap().to_str().unwrap().parse::<u64>().unwrap();
            assert!((100..=1_000).contains(&ms), "{ms}");
            waits.push(ms);
        }
        waits.sort_unstable();
        assert!(waits[10] < 300 && waits[90] > 800, "they come apart: {waits:?}");
        drop(places);
        assert!(admission.enter().await.is_ok());
    }
}
