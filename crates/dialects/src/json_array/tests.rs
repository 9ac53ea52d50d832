use super::*;
use crate::fixtures::{self, chunks};
use proptest::prelude::*;

fn elements(parts: &[&[u8]], limit: usize) -> (Result<(), ArrayError>, Vec<Vec<u8>>, ArrayPosition) {
    let mut reader = Reader::new(limit);
    let mut elements = Vec::new();
    let mut result = Ok(());
    for part in parts {
        result = reader.feed(part, |element, _| {
            elements.push(element.to_vec());
            Ok::<(), ArrayError>(())
        });
        if result.is_err() {
            break;
        }
    }
    (result, elements, reader.position())
}

#[test]
fn the_recorded_array_gives_its_elements() {
    let bytes = fixtures::read("gemini/text-jsonarray.stream.json");
    let (result, elements, position) = elements(&[&bytes], 1 << 20);
    assert_eq!((result, position), (Ok(()), ArrayPosition::Closed));
    let whole: Vec<serde_json::Value> = serde_json::from_slice(&bytes).expect("JSON");
    let read: Vec<serde_json::Value> =
        elements.iter().map(|element| serde_json::from_slice(element).expect("JSON")).collect();
    assert_eq!(read, whole);
}

#[test]
fn brackets_and_quotes_in_strings_are_text() {
    let stream = br#"[{"a":"}]\"{[\\"},{"b":[{"c":"\\\""}]}]"#;
    let (result, elements, _) = elements(&[stream], 100);
    assert_eq!(result, Ok(()));
    assert_eq!(elements, [&br#"{"a":"}]\"{[\\"}"#[..], br#"{"b":[{"c":"\\\""}]}"#]);
}

#[test]
fn an_object_without_an_array_is_one_element() {
    let (result, elements, position) = elements(&[b" {\"error\":{}}\n"], 100);
    assert_eq!((result, elements.len(), position), (Ok(()), 1, ArrayPosition::Closed));
}

#[test]
fn the_position_is_known_after_each_byte() {
    use ArrayPosition::{AfterComma, AfterElement, Closed, InElement, Opened, Unopened};
    let expected =
        [Opened, Opened, InElement, AfterElement, AfterElement, AfterComma, InElement, AfterElement, Closed];
    let mut reader = Reader::new(100);
    assert_eq!(reader.position(), Unopened);
    for (byte, expected) in b"[ {} ,{}]".iter().zip(expected) {
        reader.feed(&[*byte], |_, _| Ok::<(), ArrayError>(())).expect("an array");
        assert_eq!(reader.position(), expected);
        assert_eq!(reader.at_boundary(), expected != InElement);
    }
}

#[test]
fn what_is_no_array_of_objects_is_refused() {
    for stream in ["x", "[1]", "[,{}]", "[{}{}]", "[{},]", "[{}]x", "{}{}", "\"a\"", "<html>"] {
        assert_eq!(elements(&[stream.as_bytes()], 100).0, Err(ArrayError::NotAnArray), "{stream}");
    }
}

#[test]
fn an_element_beyond_the_limit_is_refused_however_it_comes() {
    let stream = b"[{\"a\":1},{\"a\":12}]";
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    let refused = Err(ArrayError::TooLarge { limit: 7 });
    assert_eq!(elements(&[stream], 7).0, refused);
    assert_eq!(elements(&bytes, 7).0, refused);
    assert_eq!(elements(&bytes, 8).0, Ok(()));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_elements(
        bytes in proptest::collection::vec(prop::sample::select(b"[]{},:\"\\ a1\xef\xbb\xbf".to_vec()), 0..40),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let start = [b"[{", &bytes[..]].concat();
        for bytes in [&bytes, &start] {
            prop_assert_eq!(elements(&chunks(bytes, &cuts), 30), elements(&[bytes], 30));
        }
    }
}
