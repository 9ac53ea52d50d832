//! Renders a registry in Prometheus's text format 0.0.4.
//!
//! The library renders OpenMetrics only, where a counter's family has another name than its samples and bucket
//! bounds are written `1.0`. The guide, `curl` and `promtool check metrics` want the older text format, which
//! every scraper reads; the two differ in the few places below.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use prometheus_client::{encoding::text, registry::Registry};

/// Renders all that `registry` knows.
pub(super) fn encode(registry: &Registry) -> String {
    let mut open_metrics = String::new();
    // Writing to a `String` does not fail, and neither do the metrics that this crate defines. What a foreign
    // collector leaves undone, the rest does not suffer for.
    let _ = text::encode(&mut open_metrics, registry);
    to_text_format(&open_metrics)
}

fn to_text_format(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if line.starts_with("# HELP ") {
            help = Some(line);
        } else if let Some(family) = line.strip_prefix("# TYPE ") {
            describe(&mut out, help.take(), family);
        } else if !line.starts_with('#') {
            sample(&mut out, line);
        }
    }
    out
}

/// Writes a family's `HELP` and `TYPE`; a counter has the name of its samples.
fn describe(out: &mut String, help: Option<&str>, family: &str) {
    let (name, kind) = family.split_once(' ').unwrap_or((family, "untyped"));
    let (suffix, kind) = match kind {
        "counter" => ("_total", "counter"),
        "info" => ("_info", "gauge"),
        "unknown" => ("", "untyped"),
        kind => ("", kind),
    };
    let text = help.and_then(|help| help.strip_prefix("# HELP ")?.strip_prefix(name)).map(str::trim);
    for part in
        ["# HELP ", name, suffix, " ", text.unwrap_or_default(), "\n# TYPE ", name, suffix, " ", kind, "\n"]
    {
        out.push_str(part);
    }
}

/// Writes a sample. A bucket's bound goes behind the other labels, and whole bounds lose their fraction.
fn sample(out: &mut String, line: &str) {
    const BOUND: &str = "_bucket{le=\"";
    let whole = |bound: &str| bound.strip_suffix(".0").map(str::to_owned).unwrap_or_else(|| bound.to_owned());
    let bucket = line.split_once(BOUND).and_then(|(name, rest)| Some((name, rest.split_once('"')?)));
    let Some((name, (bound, rest))) = bucket else {
        out.push_str(line);
        out.push('\n');
        return;
    };
    let (labels, value) = rest.rsplit_once("} ").unwrap_or((rest, ""));
    let labels = labels.strip_prefix(',').unwrap_or(labels);
    let comma = if labels.is_empty() { "" } else { "," };
    for part in [name, "_bucket{", labels, comma, "le=\"", &whole(bound), "\"} ", value, "\n"] {
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_under_the_name_of_their_samples() {
        let text = to_text_format(
            "# HELP a_b Things, by kind.\n# TYPE a_b counter\na_b_total{kind=\"x\"} 5\n# EOF\n",
        );
        assert_eq!(
            text,
            "# HELP a_b_total Things, by kind.\n# TYPE a_b_total counter\na_b_total{kind=\"x\"} 5\n"
        );
    }

    #[test]
    fn bounds_are_short_and_stand_last() {
        let text = to_text_format(
            "# HELP d Duration.\n# TYPE d histogram\n# UNIT d seconds\n\
             d_bucket{le=\"0.5\",p=\"a} b\",q=\"c\"} 1\nd_bucket{le=\"10.0\"} 2\nd_bucket{le=\"+Inf\",p=\"x\"} 3\n",
        );
        assert_eq!(
            text,
            "# HELP d Duration.\n# TYPE d histogram\n\
             d_bucket{p=\"a} b\",q=\"c\",le=\"0.5\"} 1\nd_bucket{le=\"10\"} 2\nd_bucket{p=\"x\",le=\"+Inf\"} 3\n"
        );
    }
}
