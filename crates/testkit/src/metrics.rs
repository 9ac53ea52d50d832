//! Reading the text that Prometheus scrapes.

use std::collections::{BTreeMap, BTreeSet};

/// The samples of one scrape.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    samples: Vec<Sample>,
    kinds: BTreeMap<String, String>,
}

/// One line: a name, its labels and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name, with the suffix of a histogram's part.
    pub name: String,
    /// The labels by name.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Samples {
    /// Reads a scrape.
    ///
    /// # Panics
    /// When a line is not in Prometheus' text format.
    pub fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap_or((kind, ""));
                all.kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                match sample(line) {
                    Some(sample) => all.samples.push(sample),
                    None => panic!("not a sample of Prometheus' text format: {line}"),
                }
            }
        }
        all
    }

    /// Sums the values of `name` over all samples that have the labels of `labels`. 0 when there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&Sample| {
            sample.name == name
                && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|had| had == value))
        };
        self.samples.iter().filter(fits).map(|sample| sample.value).sum()
    }

    /// Gives all samples of `name`.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    /// Gives the names of the labels that the samples of `name` have, all together.
    pub fn labels(&self, name: &str) -> BTreeSet<&str> {
        let of_name = self.samples.iter().filter(|sample| sample.name == name);
        of_name.flat_map(|sample| sample.labels.keys().map(String::as_str)).collect()
    }

    /// Gives the families that were declared, with their types.
    pub fn kinds(&self) -> &BTreeMap<String, String> {
        &self.kinds
    }
}

fn sample(line: &str) -> Option<Sample> {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ')?;
        return Some(Sample { name: name.into(), labels: BTreeMap::new(), value: number(value)? });
    };
    let (labels, value) = labels(rest)?;
    Some(Sample { name: name.into(), labels, value: number(value.trim_start())? })
}

fn number(text: &str) -> Option<f64> {
    text.split(' ').next()?.parse().ok()
}

/// Reads labels up to the closing brace; gives what follows it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.to_owned(), value);
        rest = &quoted[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_run_over_the_labels_that_are_left_out() {
        let text = "# TYPE a counter\na_total{x=\"1\",y=\"p\\\"q}\"} 2\na_total{x=\"2\"} 3\nb 4.5\n";
        let samples = Samples::parse(text);
        assert_eq!(samples.sum("a_total", &[]), 5.0);
        assert_eq!(samples.sum("a_total", &[("y", "p\"q}")]), 2.0);
        assert_eq!(samples.sum("b", &[]), 4.5);
        assert_eq!(samples.labels("a_total"), BTreeSet::from(["x", "y"]));
        assert_eq!(samples.kinds()["a"], "counter");
    }
}
