use super::*;
use crate::fixtures;
use serde_json::Value;

#[test]
fn the_golden_cases_read_the_same_in_every_spelling() {
    let golden: Value = serde_json::from_slice(&fixtures::read("golden/usage.json")).expect("JSON");
    for case in golden["cases"].as_array().expect("cases") {
        for (dialect, key) in [
            (Dialect::OpenAiChat, "openai-chat"),
            (Dialect::OpenAiResponses, "openai-responses"),
            (Dialect::Anthropic, "anthropic"),
            (Dialect::Gemini, "gemini"),
        ] {
            let counts = Counts::read(dialect, &case[key].to_string()).expect("a usage object");
            let canonical = |field: &str| case["canonical"][field].as_u64().expect("a count");
            let expected = TokenUsage {
                input: canonical("input_total"),
                output: canonical("output_total"),
                cache_read: canonical("input_cached"),
                // Gemini has no such counter.
                cache_write: if dialect == Dialect::Gemini { 0 } else { canonical("input_cache_write") },
                reasoning: canonical("output_reasoning"),
                estimated: 0,
            };
            assert_eq!(counts.total(dialect, TokenUsage::default()), expected, "{} {key}", case["name"]);
        }
    }
}

#[test]
fn the_last_value_of_each_count_wins_and_null_changes_nothing() {
    let mut counts = Counts::read(
        Dialect::Anthropic,
        r#"{"input_tokens":52,"cache_read_input_tokens":9,"output_tokens":1}"#,
    )
    .expect("usage");
    counts.merge(
        Counts::read(
            Dialect::Anthropic,
            r#"{"input_tokens":null,"output_tokens":8,"cache_read_input_tokens":7}"#,
        )
        .expect("usage"),
    );
    let total = counts.total(Dialect::Anthropic, TokenUsage::default());
    assert_eq!((total.input, total.output, total.cache_read), (59, 8, 7));
}

#[test]
fn an_odd_field_loses_no_other() {
    let counts = Counts::read(
        Dialect::OpenAiChat,
        r#"{"prompt_tokens":-1,"completion_tokens":5.0,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":"many"},"x":[{}]}"#,
    )
    .expect("usage");
    assert_eq!((counts.input, counts.output, counts.reasoning), (None, Some(5), None));
}

#[test]
fn absurd_counts_do_not_overflow() {
    let json = r#"{"input_tokens":18446744073709551615,"cache_read_input_tokens":1e300,"cache_creation_input_tokens":18446744073709551615}"#;
    let total = Counts::read(Dialect::Anthropic, json)
        .expect("usage")
        .total(Dialect::Anthropic, TokenUsage::default());
    assert_eq!(total.total(), 3 << 50);
}

#[test]
fn what_nobody_reported_is_estimated_and_marked() {
    let guess = estimate(Operation::Generate, 400, 7);
    let none = Counts::default();
    assert!(!none.reported());
    assert_eq!(
        none.total(Dialect::OpenAiChat, guess),
        TokenUsage { input: 100, output: 7, estimated: 107, ..TokenUsage::default() }
    );
    let half = Counts { input: Some(3), ..none };
    assert_eq!(
        half.total(Dialect::Gemini, guess),
        TokenUsage { input: 3, output: 7, estimated: 7, ..TokenUsage::default() }
    );
}

#[test]
fn counting_tokens_costs_none_and_embeddings_have_no_output() {
    assert_eq!(estimate(Operation::CountTokens, 400, 7), TokenUsage::default());
    assert_eq!(
        estimate(Operation::Embed, 400, 7),
        TokenUsage { input: 100, estimated: 100, ..TokenUsage::default() }
    );
}
