//! What becomes of what a provider of another API cannot be told.

use super::{accept, refuse};
use cliproxy_domain::{OnLoss, TranslationPolicy, UnsupportedTools};

#[test]
fn without_the_section_losses_are_warned_of_and_foreign_tools_are_rejected() {
    let expected = TranslationPolicy {
        on_loss: OnLoss::Warn,
        unsupported_tools: UnsupportedTools::Reject,
        default_max_tokens: 32_000,
    };
    assert_eq!(accept("").snapshot.policy.translation, expected);
    assert_eq!(accept("translation:\n").snapshot.policy.translation, expected);
}

#[test]
fn each_key_is_taken_by_itself() {
    let policy = |text: &str| accept(text).snapshot.policy.translation;
    let default = TranslationPolicy::default();
    assert_eq!(
        policy("translation: {on_loss: refuse}"),
        TranslationPolicy { on_loss: OnLoss::Refuse, ..default }
    );
    assert_eq!(
        policy("translation: {unsupported_tools: drop}"),
        TranslationPolicy { unsupported_tools: UnsupportedTools::Drop, ..default }
    );
    assert_eq!(
        policy("translation: {default_max_tokens: 1}"),
        TranslationPolicy { default_max_tokens: 1, ..default }
    );
}

#[test]
fn other_words_and_no_tokens_are_refused_at_their_place() {
    let cases = [
        ("translation: {on_loss: refuze}", "config.yaml:1:24: ", "did you mean `refuse`?"),
        ("translation: {unsupported_tools: ignore}", "config.yaml:1:34: ", "known are `reject` and `drop`"),
        ("translation: {default_max_tokens: 0}", "config.yaml:1:35: ", "`0` is out of range"),
        ("translation: {on_los: warn}", "config.yaml:1:15: ", "did you mean `on_loss`?"),
    ];
    for (text, place, expected) in cases {
        let error = refuse(text);
        assert!(error.starts_with(place) && error.contains(expected), "{error}");
    }
}
