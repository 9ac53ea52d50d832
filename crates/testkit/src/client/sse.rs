//! Server-sent events, as tests want to see them.

use serde_json::Value;

/// One event, or a comment that stood by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field.
    pub name: Option<String>,
    /// The `data` fields, joined by line ends; empty for a comment.
    pub data: String,
    /// The comment lines, without their colon.
    pub comments: Vec<String>,
}

impl Event {
    /// Tells whether it has a name or data, and so reaches whoever listens.
    pub fn is_dispatched(&self) -> bool {
        self.name.is_some() || !self.data.is_empty()
    }

    /// Reads the data as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.data) {
            Ok(value) => value,
            Err(error) => panic!("the event's data is no JSON: {error}: {}", self.data),
        }
    }
}

/// Cuts bytes into events.
#[derive(Debug, Default)]
pub(super) struct Reader {
    rest: Vec<u8>,
}

impl Reader {
    /// Takes bytes and gives the events that they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        // A lone CR does not end a line anywhere in our providers' streams.
        self.rest.extend(bytes.iter().filter(|byte| **byte != b'\r'));
        let mut events = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.rest.drain(..end + 2).collect();
            events.extend(event(&String::from_utf8_lossy(&block)));
        }
        events
    }

    /// Tells whether no event is begun.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.iter().all(|byte| *byte == b'\n')
    }
}

fn event(block: &str) -> Option<Event> {
    let mut event = Event::default();
    let mut data: Option<String> = None;
    for line in block.lines().filter(|line| !line.is_empty()) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => event.comments.push(value.to_owned()),
            "event" => event.name = Some(value.to_owned()),
            "data" => match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            },
            _ => {}
        }
    }
    event.data = data.unwrap_or_default();
    (event != Event::default()).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_however_the_bytes_are_cut() {
        let bytes = b": hello\n\nevent: a\r\ndata: 1\r\ndata: 2\r\n\r\ndata: [DONE]\n\n";
        for size in 1..bytes.len() {
            let mut reader = Reader::default();
            let events: Vec<Event> = bytes.chunks(size).flat_map(|chunk| reader.push(chunk)).collect();
            assert_eq!(events.len(), 3);
            assert_eq!(events[0].comments, ["hello"]);
            assert!(!events[0].is_dispatched());
            assert_eq!((events[1].name.as_deref(), &*events[1].data), (Some("a"), "1\n2"));
            assert_eq!(events[2].data, "[DONE]");
            assert!(reader.is_empty());
        }
    }
}
