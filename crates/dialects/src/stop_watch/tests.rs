use super::*;
use proptest::prelude::*;

fn stops(texts: &[&str]) -> Stops {
    Stops::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

/// Says `fragments` one by one: what came out, at which stop it ended, and the most that was held back.
fn said(stops: &Stops, fragments: &[&str]) -> (String, Option<usize>, usize) {
    let (mut watch, mut out, mut most) = (Watch::default(), String::new(), 0);
    for fragment in fragments {
        match stops.watch(&mut watch, fragment) {
            Watched::On(text) => out.push_str(&text),
            Watched::Cut { before, stop } => {
                out.push_str(&before);
                return (out, Some(stop), most);
            }
        }
        most = most.max(watch.held.len());
    }
    out.push_str(&watch.rest());
    (out, None, most)
}

#[test]
fn a_text_ends_before_the_first_stop_text() {
    let stops = stops(&["END", "\n\n"]);
    assert_eq!(said(&stops, &["one END two"]), ("one ".into(), Some(0), 0));
    assert_eq!(said(&stops, &["one\n", "\ntwo END"]), ("one".into(), Some(1), 1));
    assert_eq!(said(&stops, &["ENDless"]), (String::new(), Some(0), 0));
}

#[test]
fn what_only_begins_like_a_stop_text_is_said_after_all() {
    let stops = stops(&["STOP"]);
    assert_eq!(said(&stops, &["S", "T", "ST", "A"]), ("STSTA".into(), None, 2));
    assert_eq!(said(&stops, &["STO"]), ("STO".into(), None, 3));
    assert_eq!(said(&stops, &["SSTOSTOP"]), ("SSTO".into(), Some(0), 0));
}

#[test]
fn the_stop_text_that_is_complete_first_counts_and_of_two_the_longer() {
    assert_eq!(said(&stops(&["abc", "b"]), &["abc"]), ("a".into(), Some(1), 0));
    assert_eq!(said(&stops(&["b", "ab"]), &["xa", "b"]), ("x".into(), Some(1), 1));
}

#[test]
fn a_text_without_a_stop_text_passes_without_a_copy() {
    let stops = stops(&["END"]);
    let Watched::On(Cow::Borrowed(text)) = stops.watch(&mut Watch::default(), "nothing here, E") else {
        panic!("copied")
    };
    assert_eq!(text, "nothing here, ");
}

#[test]
fn empty_stop_texts_mean_nothing() {
    assert!(stops(&["", ""]).is_empty());
    assert_eq!(stops(&["", "x"]).text(0), Some("x"));
}

proptest! {
    #[test]
    fn fragments_say_the_same_as_the_whole(
        text in "[abé]{0,30}",
        texts in prop::collection::vec("[abé]{1,4}", 1..4),
        cuts in prop::collection::vec(0..60_usize, 0..8),
    ) {
        let stops = Stops::new(&texts);
        let mut places: Vec<usize> = cuts.into_iter().filter(|cut| text.is_char_boundary(*cut)).collect();
        places.extend([0, text.len()]);
        places.sort_unstable();
        let fragments: Vec<&str> = places.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect();

        let (out, stop, most) = said(&stops, &fragments);
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        prop_assert!(most < longest);
        // The plain way: the shortest beginning that ends with a stop text.
        let first = (0..=text.len()).filter(|end| text.is_char_boundary(*end)).find_map(|end| {
            let ends = texts.iter().filter(|stop| text[..end].ends_with(stop.as_str()));
            ends.map(String::len).max().map(|len| &text[..end - len])
        });
        prop_assert_eq!(stop.is_some(), first.is_some());
        prop_assert_eq!(out.as_str(), first.unwrap_or(&text));
    }
}
