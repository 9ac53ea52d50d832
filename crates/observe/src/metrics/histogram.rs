//! A histogram made of atomics alone.
//!
//! The library's own takes a mutex for each observation (52 ns, and twice that when two threads meet).

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The upper bounds of the buckets, in seconds: from a cached answer's 50 ms to a reasoning model's ten
/// minutes. One more bucket holds what takes longer.
pub const BUCKET_BOUNDS_SECONDS: [f64; 15] =
    [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Counts in classic buckets, of durations by default. Clones share the counts.
///
/// A reader may see an observation in its bucket and not yet in the sum; the count is always that of the
/// buckets.
#[derive(Clone, Debug)]
pub struct AtomicHistogram(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    bounds: &'static [f64],
    /// The same in millionths, as observations are compared.
    bounds_micro: Box<[u64]>,
    /// Not cumulative; one more than there are bounds.
    buckets: Box<[AtomicU64]>,
    sum_micro: AtomicU64,
}

impl Default for AtomicHistogram {
    fn default() -> Self {
        Self::with_bounds(&BUCKET_BOUNDS_SECONDS)
    }
}

impl AtomicHistogram {
    /// Makes a histogram with buckets of its own, by their ascending upper bounds.
    pub fn with_bounds(bounds: &'static [f64]) -> Self {
        Self(Arc::new(Counts {
            bounds,
            bounds_micro: bounds.iter().map(|bound| (bound * 1e6) as u64).collect(),
            buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum_micro: AtomicU64::new(0),
        }))
    }

    /// Counts one duration, to the microsecond.
    pub fn observe(&self, duration: Duration) {
        self.count(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts a plain number, to the millionth. What is negative or no number counts as 0.
    pub fn observe_number(&self, number: f64) {
        self.count((number * 1e6) as u64);
    }

    fn count(&self, micro: u64) {
        let bucket = self.0.bounds_micro.partition_point(|&bound| bound < micro);
        if let Some(bucket) = self.0.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        self.0.sum_micro.fetch_add(micro, Relaxed);
    }
}

impl EncodeMetric for AtomicHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let bounds = self.0.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.0.buckets.iter().map(|bucket| bucket.load(Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.sum_micro.load(Relaxed) as f64 / 1e6;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for AtomicHistogram {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exposition;
    use prometheus_client::registry::Registry;

    fn shown(histogram: &AtomicHistogram) -> String {
        let mut registry = Registry::default();
        registry.register("d_seconds", "A duration", histogram.clone());
        exposition::encode(&registry)
    }

    #[test]
    fn a_duration_on_a_bound_belongs_to_that_bucket() {
        let histogram = AtomicHistogram::default();
        for ms in [500, 501, 1_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let text = shown(&histogram);
        assert!(text.contains("d_seconds_bucket{le=\"0.25\"} 0\n"), "{text}");
        assert!(text.contains("d_seconds_bucket{le=\"0.5\"} 1\n"), "{text}");
        assert!(text.contains("d_seconds_bucket{le=\"1\"} 3\n"), "{text}");
        assert!(text.contains("d_seconds_bucket{le=\"+Inf\"} 3\n"), "{text}");
        assert!(text.contains("d_seconds_sum 2.001\n"), "{text}");
        assert!(text.contains("d_seconds_count 3\n"), "{text}");
    }

    #[test]
    fn what_takes_longer_than_all_bounds_is_counted_too() {
        let histogram = AtomicHistogram::default();
        histogram.observe(Duration::from_secs(601));
        let text = shown(&histogram);
        assert!(text.contains("d_seconds_bucket{le=\"600\"} 0\n"), "{text}");
        assert!(text.contains("d_seconds_bucket{le=\"+Inf\"} 1\n"), "{text}");
    }

    #[test]
    fn no_observation_is_lost_between_threads() {
        let histogram = AtomicHistogram::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..10_000).for_each(|ms| histogram.observe(Duration::from_millis(ms)));
                });
            }
        });
        assert!(shown(&histogram).contains("d_seconds_count 40000\n"));
    }
}
