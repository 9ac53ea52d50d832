//! Counts how requests were decided on: what was left out, tried again, tried twice, and found out.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// The families, without any series yet.
#[derive(Clone, Default)]
pub(super) struct DecisionFamilies {
    retries: Family<VerdictLabels, Counter>,
    hedges: Family<ResultLabels, Counter>,
    exclusions: Family<ReasonLabels, Counter>,
    half_open: Family<ResultLabels, Counter>,
    records: Family<ResultLabels, Counter>,
}

impl DecisionFamilies {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "retries",
            "Failed calls, by what followed: another call, or why there was none",
            self.retries.clone(),
        );
        registry.register(
            "hedges",
            "Second calls beside a first that did not begin, by what came of them",
            self.hedges.clone(),
        );
        registry.register(
            "exclusions",
            "Targets and credentials that decisions left out, by reason",
            self.exclusions.clone(),
        );
        registry.register(
            "half_open_probes",
            "Requests that were to find out whether a rest goes on, by what they found",
            self.half_open.clone(),
        );
        registry.register(
            "request_records",
            "Records of requests that were kept for the control plane, or dropped as too many waited",
            self.records.clone(),
        );
    }
}

/// The closed sets of words that decisions are counted by. Each shows from the start, at 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecisionWords<'a> {
    /// What may follow a failed call.
    pub retries: &'a [&'static str],
    /// What may come of a second call beside a first.
    pub hedges: &'a [&'static str],
    /// Why a target or a credential may be left out.
    pub exclusions: &'a [&'static str],
    /// What a request may find that is to find out whether a rest goes on.
    pub half_open: &'a [&'static str],
    /// What may become of a request's record.
    pub records: &'a [&'static str],
}

/// Counts decisions. Every method is one atomic addition; a word that is in no set is not counted.
pub struct DecisionHandles {
    retries: Counters,
    hedges: Counters,
    exclusions: Counters,
    half_open: Counters,
    records: Counters,
}

impl DecisionHandles {
    pub(super) fn new(families: &DecisionFamilies, words: DecisionWords<'_>) -> Self {
        let DecisionFamilies { retries, hedges, exclusions, half_open, records } = families;
        let result = |result| ResultLabels { result };
        Self {
            retries: Counters::of(words.retries, |verdict| {
                retries.get_or_create_owned(&VerdictLabels { verdict })
            }),
            hedges: Counters::of(words.hedges, |word| hedges.get_or_create_owned(&result(word))),
            exclusions: Counters::of(words.exclusions, |reason| {
                exclusions.get_or_create_owned(&ReasonLabels { reason })
            }),
            half_open: Counters::of(words.half_open, |word| half_open.get_or_create_owned(&result(word))),
            records: Counters::of(words.records, |word| records.get_or_create_owned(&result(word))),
        }
    }

    /// Counts what followed a failed call.
    pub fn retry(&self, verdict: &str) {
        self.retries.count(verdict);
    }

    /// Counts what came of a second call beside a first.
    pub fn hedge(&self, result: &str) {
        self.hedges.count(result);
    }

    /// Counts a target or credential that was left out.
    pub fn exclusion(&self, reason: &str) {
        self.exclusions.count(reason);
    }

    /// Counts what a request found that was to find out whether a rest goes on.
    pub fn half_open(&self, result: &str) {
        self.half_open.count(result);
    }

    /// Counts what became of a request's record.
    pub fn record(&self, result: &str) {
        self.records.count(result);
    }
}

/// The counters of one family, by its few words.
struct Counters(Vec<(&'static str, Counter)>);

impl Counters {
    fn of(words: &[&'static str], make: impl Fn(&'static str) -> Counter) -> Self {
        Self(words.iter().map(|word| (*word, make(word))).collect())
    }

    fn count(&self, word: &str) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == word) {
            counter.inc();
        }
    }
}
