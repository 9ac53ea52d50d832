use super::*;
use proptest::prelude::*;

#[test]
fn urls_and_keys_are_removed_and_words_stay() {
    for (text, expected) in [
        ("see https://example.test/a?b=c for more", "see [removed] for more"),
        ("see (http://example.test), please", "see ([removed]), please"),
        ("at \"wss://example.test/x\" now", "at \"[removed]\" now"),
        ("é→https://example.test", "é→[removed]"),
        ("key sk-ant-api03-AbCd_12 is bad", "key [removed] is bad"),
        ("key:'sk-proj-****abcd'", "key:'[removed]'"),
        ("AIzaSyAbCdEfGh1234 expired", "[removed] expired"),
        ("Authorization: Bearer abc.def.ghi refused", "Authorization: Bearer [removed] refused"),
        ("POST /v1?key=abc123 failed", "POST /v1?key=[removed] failed"),
        ("two sk-aaaaaa,sk-bbbbbb keys", "two [removed],[removed] keys"),
        ("a task-force takes risk-based sk- steps", "a task-force takes risk-based sk- steps"),
        ("line one\r\nline\ttwo\u{0}\u{7f}", "line one line two"),
        ("  ", ""),
    ] {
        assert_eq!(clean(text), expected);
    }
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let cut = clean(&"é".repeat(2000));
    assert_eq!(cut.len(), 1024);
    let cut = clean(&format!("x{}", "é".repeat(2000)));
    assert_eq!(cut.len(), 1023);
}

#[test]
fn a_key_at_the_cut_is_removed_before_it() {
    let text = format!("{} sk-secretsecretsecret", "x".repeat(1015));
    assert!(!clean(&text).contains("sk-"));
}

proptest! {
    #[test]
    fn any_text_becomes_at_most_1_kib_without_keys(text in "(sk-[a-z]{6}|AIza[a-z]{9}|[ \\n:éa\u{3000}]|https://x|key=){0,60}") {
        let cleaned = clean(&text);
        prop_assert!(cleaned.len() <= 1024);
        prop_assert!(!cleaned.contains("://"), "{}", cleaned);
    }
}
