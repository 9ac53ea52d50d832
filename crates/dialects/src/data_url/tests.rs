use super::*;
use proptest::prelude::*;

fn read(url: &str) -> Result<(String, String), Refused> {
    match media(url.to_owned(), "messages[0].content[1].image_url.url")? {
        Media::Inline { mime, base64 } => Ok((mime, base64)),
        other => panic!("{url} is not inline: {other:?}"),
    }
}

#[track_caller]
fn assert_read(url: &str, mime: &str, base64: &str) {
    assert_eq!(read(url).unwrap(), (mime.to_owned(), base64.to_owned()), "{url}");
}

#[test]
fn base64_stays_as_it_is() {
    assert_read("data:image/png;base64,iVBORw0=", "image/png", "iVBORw0=");
    assert_read("DATA:Image/PNG;BASE64,iVBORw0=", "image/png", "iVBORw0=");
    assert_read("data:image/svg+xml;base64,", "image/svg+xml", "");
}

#[test]
fn parameters_are_left_out() {
    assert_read("data:text/plain;charset=utf-8;base64,aGk=", "text/plain", "aGk=");
    assert_read("data:application/pdf; name=a.pdf ;base64,aGk=", "application/pdf", "aGk=");
}

#[test]
fn base64_in_other_spellings_becomes_standard() {
    assert_read("data:a/b;base64,aGk", "a/b", "aGk=");
    assert_read("data:a/b;base64,-_-_", "a/b", "+/+/");
    assert_read("data:a/b;base64,aG\nk=", "a/b", "aGk=");
    assert_read("data:a/b;base64,aGk%3D", "a/b", "aGk=");
    assert_read("data:a/b;base64,aGl=", "a/b", "aGl=");
}

#[test]
fn percent_encoded_data_become_base64() {
    assert_read("data:text/html,%3Cp%3E", "text/html", "PHA+");
    assert_read("data:,a%20b", "text/plain", "YSBi");
    assert_read("data:;base64,aGk=", "text/plain", "aGk=");
}

#[test]
fn a_bad_data_url_is_refused_by_the_name_of_its_field() {
    let bad =
        ["data:", "data:image/png;base64", "data:png;base64,aGk=", "data:a/b;base64,a", "data:a/b;base64,é"];
    for url in bad.into_iter().chain(["data:a/b,%4", "data:a/b,%zz", "data:a b/c,", "data:/,"]) {
        let refused = read(url).unwrap_err();
        assert_eq!(refused.field, "messages[0].content[1].image_url.url", "{url}");
        assert!(refused.message.contains("not a valid data URL"), "{refused}");
    }
}

#[test]
fn other_urls_are_left_alone() {
    let url = "https://example.com/data:image/png".to_owned();
    assert_eq!(media(url.clone(), "f").unwrap(), Media::Url { url, mime: None });
}

#[test]
fn the_type_is_guessed_from_the_paths_extension_alone() {
    assert_eq!(mime_of("https://example.com/a/b.PNG?x=.pdf#y.gif"), Some("image/png"));
    assert_eq!(mime_of("gs://bucket/paper.pdf"), Some("application/pdf"));
    for none in ["https://example.com", "https://example.png", "https://example.com/a.b/c", "x.png", ""] {
        assert_eq!(mime_of(none), None, "{none}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(bytes: Vec<u8>) {
        let base64 = STANDARD.encode(bytes);
        prop_assert_eq!(read(&write("image/webp", &base64)).unwrap(), ("image/webp".to_owned(), base64));
    }

    #[test]
    fn every_text_is_read_or_refused(text in "data:[a-z/;,%=+0-9é -]{0,40}") {
        if let Ok(Media::Inline { base64, .. }) = media(text, "f") {
            prop_assert!(STANDARD.decode(&base64).is_ok() || base64.len() % 4 == 0, "{base64}");
        }
    }
}
