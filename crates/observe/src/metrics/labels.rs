//! The label sets of the families, and the bound on the values that clients choose.

use prometheus_client::encoding::EncodeLabelSet;
use std::{collections::HashSet, sync::Arc};

/// Stands for every label value that is not admitted.
pub const OTHER: &str = "other";

/// A name longer than this is not admitted as a label value.
const MAX_LABEL_BYTES: usize = 128;

/// Admits a bounded number of model names as label values, first come, first served.
#[derive(Debug)]
pub struct ModelLabels {
    limit: usize,
    other: Arc<str>,
    admitted: HashSet<Arc<str>>,
}

impl ModelLabels {
    /// Admits at most `limit` distinct names beside [`OTHER`].
    pub fn new(limit: usize) -> Self {
        Self { limit, other: Arc::from(OTHER), admitted: HashSet::new() }
    }

    /// Gives the label value for `model`: the name itself, or [`OTHER`] when there is no room for it, or it is
    /// empty or longer than 128 bytes.
    pub fn admit(&mut self, model: &str) -> Arc<str> {
        if let Some(known) = self.admitted.get(model) {
            return known.clone();
        }
        let fits = !model.is_empty() && model.len() <= MAX_LABEL_BYTES && model != OTHER;
        if !fits || self.admitted.len() >= self.limit {
            return self.other.clone();
        }
        let label: Arc<str> = Arc::from(model);
        self.admitted.insert(label.clone());
        label
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ErrorLabels {
    pub(super) provider: Arc<str>,
    pub(super) error_type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TokenLabels {
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TargetLabels {
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabels {
    pub(super) provider: Arc<str>,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProviderLabels {
    pub(super) provider: Arc<str>,
}

/// The client's API and the provider's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DialectLabels {
    pub(super) client: &'static str,
    pub(super) upstream: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_beyond_the_limit_count_as_other_and_the_first_keep_their_names() {
        let mut labels = ModelLabels::new(2);
        assert_eq!(&*labels.admit("a"), "a");
        assert_eq!(&*labels.admit("b"), "b");
        assert_eq!(&*labels.admit("c"), OTHER);
        assert_eq!(&*labels.admit("a"), "a");
    }

    #[test]
    fn empty_and_overlong_names_take_no_room() {
        let mut labels = ModelLabels::new(1);
        assert_eq!(&*labels.admit(""), OTHER);
        assert_eq!(&*labels.admit(&"x".repeat(129)), OTHER);
        assert_eq!(&*labels.admit(OTHER), OTHER);
        assert_eq!(&*labels.admit(&"x".repeat(128)), "x".repeat(128));
    }
}
