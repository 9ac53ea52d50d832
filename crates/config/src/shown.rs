//! A whole text as operators may see it, and what of it may not come back.

use crate::{
    error::Report,
    field::Findings,
    mask,
    source::Source,
    tree::{self, Node, Value},
};

/// So many `*` in a row stand in no configuration, other than where a secret was hidden.
pub const HIDDEN: &str = "***";

/// Says that a hidden secret came back, and what to write instead.
pub const HIDDEN_MESSAGE: &str = "the `*` stand where a secret was hidden; write the secret itself, or better `${NAME}` and set the variable";

/// Shows a text with every secret in it replaced by `*` of the same width. A text that is no YAML is shown likewise,
/// with rather more hidden than needs be.
pub fn masked(text: &str) -> String {
    let source = Source::new("", text);
    // Parsing finds the secrets; what else it says of the text is said where it is loaded.
    let _ = tree::parse(&source);
    let mut shown = String::with_capacity(text.len());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        shown.push_str(&with_digests(content, mask::masked_line(&source, start..start + content.len())));
        shown.push_str(&line[content.len()..]);
        start += line.len();
    }
    shown
}

/// Puts the hashes of `line` back into what is shown of it: who changes the text gives them back, and cannot make them
/// anew. In reports, which go to logs, they stay hidden.
fn with_digests(line: &str, shown: String) -> String {
    let digests = mask::digests(line);
    if digests.is_empty() {
        return shown;
    }
    // What is shown has a character for each.
    let characters = line.char_indices().zip(shown.chars());
    let back = |((at, c), hidden)| if digests.iter().any(|digest| digest.contains(&at)) { c } else { hidden };
    characters.map(back).collect()
}

/// Refuses values that [`masked`] has hidden: whoever changes the text that he was shown would lose his keys.
pub fn refuse_masked(node: &Node, findings: &Findings<'_>) {
    match &node.value {
        Value::Scalar(scalar) if scalar.text.contains(HIDDEN) => {
            findings.refuse(Report::at(&node.span, HIDDEN_MESSAGE))
        }
        Value::Scalar(_) => {}
        Value::List(items) => items.iter().for_each(|item| refuse_masked(item, findings)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| refuse_masked(value, findings)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Load, load_text};

    const TEXT: &str = "\
# the keys
providers:
  claude:
    api_key: 'hunter2 is short'   # sk-ant-in-a-comment
  openai:
    api_key: ${OPENAI_API_KEY}
    credentials:
      - name: folded
        api_key: >-
          of more
          than a line
";

    #[test]
    fn a_shown_text_has_all_of_the_configuration_but_its_secrets() {
        let shown = masked(TEXT);
        assert!(shown.contains("api_key: '****"), "the quotes stay: {shown}");
        for secret in ["hunter2", "is short", "in-a-comment", "of more", "than a line"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        for rest in ["# the keys\nproviders:\n  claude:\n", "api_key: ${OPENAI_API_KEY}", "- name: folded\n"]
        {
            assert!(shown.contains(rest), "{rest}: {shown}");
        }
        assert_eq!(shown.chars().count(), TEXT.chars().count());
    }

    #[test]
    fn a_text_that_is_no_yaml_is_shown_without_its_secrets_as_well() {
        let shown = masked("providers: {claude: {api_key: 'hunter2\nstill of it'\nmodels: [");
        assert!(!shown.contains("hunter2") && !shown.contains("still"), "{shown}");
        assert!(shown.starts_with("providers: {claude: {api_key: *"), "{shown}");
    }

    #[test]
    fn a_hidden_secret_is_not_taken_for_one() {
        let request = Load {
            file: None,
            overrides: Vec::new(),
            data_dir: "./data".into(),
            environment: Environment::fixed([("OPENAI_API_KEY", "k")]),
            wall: || cliproxy_domain::WallTime(0),
            purpose: crate::Purpose::Any,
        };
        for text in [
            masked("providers: {claude: {api_key: \"hunter2-and-more\"}}\n"),
            masked("providers: {claude: {api_key: hunter2-and-more}}\n"),
            masked("providers: {openai: {base_url: \"https://me:pw@example.com/v1\"}}\n"),
        ] {
            let refused = load_text("body", &text, &request).unwrap_err().to_string();
            assert!(refused.contains("where a secret was hidden"), "{text}{refused}");
        }
        // In a comment they are decoration.
        load_text("body", "# *** providers ***\nproviders: {}\n", &request).unwrap();
    }
}
