//! How a streamed answer is cut into events, and where in it a writer stands.

/// The outer form of a streamed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Server-sent events: every dialect, Gemini with `alt=sse`.
    Sse,
    /// One JSON array whose elements arrive one by one: Gemini without `alt=sse`.
    JsonArray,
}

/// Where a stream stands after the bytes that were passed on: what a writer must know to add to it.
///
/// The default is a stream of which nothing was sent yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Whether the bytes so far end between two events, so that another one may be written as it is.
    pub boundary: bool,
    /// Where a JSON array stands; without meaning for server-sent events.
    pub array: ArrayPosition,
    /// The response that the stream announced; only OpenAI Responses has one.
    pub response: Option<StartedResponse>,
}

impl Default for StreamState {
    fn default() -> Self {
        Self { boundary: true, array: ArrayPosition::Unopened, response: None }
    }
}

/// Where a streamed JSON array stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArrayPosition {
    /// The opening bracket has not come.
    #[default]
    Unopened,
    /// After the opening bracket.
    Opened,
    /// After a whole element, where a comma or the end follows.
    AfterElement,
    /// After the comma that announces another element.
    AfterComma,
    /// Within an element.
    InElement,
    /// After the closing bracket.
    Closed,
}

/// What `response.created` said of the response, as far as `response.failed` has to repeat it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartedResponse {
    /// The response's id, `resp_…`.
    pub id: String,
    /// The model that answers.
    pub model: String,
    /// When it was created, in Unix seconds.
    pub created_at: i64,
    /// The sequence number that the next event has.
    pub next_sequence: u64,
    /// The items that are at their end, as JSON with commas between them; empty where nobody kept them.
    pub output: String,
}
