use super::{
    super::{unwrapped, wrapped},
    *,
};
use proptest::prelude::*;

fn in_fragments(args: &str, at: usize) -> String {
    let mut unwrap = Unwrap::default();
    let (one, other) = args.split_at(at);
    let mut input = unwrap.text(one).into_owned();
    input.push_str(&unwrap.text(other));
    input.push_str(&unwrap.rest());
    input
}

#[track_caller]
fn assert_input(args: &str, expected: &str) {
    assert_eq!(unwrapped(args), expected, "{args}");
    for at in (0..=args.len()).filter(|at| args.is_char_boundary(*at)) {
        assert_eq!(in_fragments(args, at), expected, "{args} cut at {at}");
    }
}

#[test]
fn the_input_comes_out_of_its_wrapping() {
    assert_input(r#"{"input":"abc"}"#, "abc");
    assert_input("{ \"input\" :\n \"abc\" } \n", "abc");
    assert_input(r#"{"input":""}"#, "");
    assert_input(r#"{"input":"a","more":1}"#, "a");
}

#[test]
fn escapes_are_decoded_over_the_borders_of_fragments() {
    assert_input(r#"{"input":"a\n\t\"\\\/\u00e9\ud83d\ude00!"}"#, "a\n\t\"\\/é😀!");
}

#[test]
fn half_a_pair_is_a_character_that_nobody_can_read() {
    assert_input(r#"{"input":"\ud83d"}"#, "\u{fffd}");
    assert_input(r#"{"input":"\ud83dx"}"#, "\u{fffd}x");
    assert_input(r#"{"input":"\ud83d\n"}"#, "\u{fffd}\n");
    assert_input(r#"{"input":"\ud83d\u0041"}"#, "\u{fffd}A");
    assert_input(r#"{"input":"\ud83d\ud83d\ude00"}"#, "\u{fffd}😀");
    assert_input(r#"{"input":"\ude00"}"#, "\u{fffd}");
    assert_input(r#"{"input":"\ud83d\u12"}"#, "\u{fffd}\\u12");
    assert_input(r#"{"input":"\ud83d"#, "\u{fffd}");
}

#[test]
fn arguments_of_another_shape_are_the_input_themselves() {
    for args in [
        "",
        "{}",
        "plain",
        r#"{"input":7}"#,
        r#"{"query":"x"}"#,
        r#"{"inputs":"x"}"#,
        r#"["input"]"#,
        r#"{"inp ut":"x"}"#,
    ] {
        assert_input(args, args);
    }
    let spaced = format!("{{{}\"input\":\"x\"}}", " ".repeat(100));
    assert_eq!(in_fragments(&spaced, 80), spaced);
}

#[test]
fn what_is_no_escape_stays_as_it_is() {
    assert_input(r#"{"input":"a\xb\u12zz"}"#, r"a\xb\u12zz");
    assert_input(r#"{"input":"cut \u00"#, r"cut \u00");
    assert_input("{\"input\":\"a\nb", "a\nb");
    assert_input(r#"{"input":"\u12é\""}"#, "\\u12é\"");
}

#[test]
fn plain_input_passes_without_a_copy() {
    let mut unwrap = Unwrap::default();
    assert!(matches!(unwrap.text(r#"{"input":"abc"#), Cow::Borrowed("abc")));
    assert!(matches!(unwrap.text("def"), Cow::Borrowed("def")));
    assert!(matches!(unwrap.text("\"}"), Cow::Borrowed("")));
}

proptest! {
    #[test]
    fn what_was_wrapped_comes_out_again(input: String, at: prop::sample::Index) {
        let args = wrapped(&input);
        let mut at = at.index(args.len() + 1);
        while !args.is_char_boundary(at) {
            at -= 1;
        }
        prop_assert_eq!(in_fragments(&args, at), input);
    }

    #[test]
    fn little_is_held_whatever_comes(args in r#"\{"input":"([a\\u0d8é"-]|\\ud83d){0,40}"#) {
        let mut unwrap = Unwrap::default();
        for c in args.chars() {
            unwrap.text(c.encode_utf8(&mut [0; 4]));
            prop_assert!(unwrap.held.len() <= 12, "{:?}", unwrap.held);
        }
    }
}
