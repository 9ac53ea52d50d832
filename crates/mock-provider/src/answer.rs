//! What an answer says, before any API's spelling: thoughts, text and tool calls, an id and usage.

mod schema;

use crate::{
    script::{Finish, Reply, Usage, UsageDetails},
    text::Text,
    wire::tools::{Tool, ToolTalk},
};
use serde_json::Value;

/// The bytes of one token of filler when the script does not say.
const TOKEN_BYTES: u64 = 8;
/// The same for filler that is given by its whole size.
const LARGE_TOKEN_BYTES: u64 = 16_384;
/// The bytes of one piece of a streamed tool call's arguments.
const ARGUMENT_BYTES: usize = 8;

/// A request, as far as the answer depends on it.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    /// The model asked for.
    pub(crate) model: String,
    /// Tells whether a stream is wanted.
    pub(crate) stream: bool,
    /// Tells whether a stream is to end with usage (Chat Completions only).
    pub(crate) include_usage: bool,
    /// What is said about tools, when some are declared.
    pub(crate) tools: Option<ToolTalk>,
    /// What is to be seen of thoughts.
    pub(crate) thoughts: Thoughts,
    /// The schema of the JSON that the text is to be.
    pub(crate) schema: Option<Value>,
}

/// What a request wants to see of the model's thoughts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Thoughts {
    /// The model does not think.
    #[default]
    Off,
    /// It thinks, and only its signature is seen.
    Hidden,
    /// Its thoughts are seen as well.
    Shown,
}

/// An answer in no API's spelling.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Makes the ids of the answer; the same request gives the same one.
    pub(crate) id: u64,
    /// The model asked for.
    pub(crate) model: String,
    /// What is said, in order; at least one block.
    pub(crate) blocks: Vec<Block>,
    /// Why it ends, when not by itself.
    pub(crate) finish: Option<Finish>,
    /// What the answer reports.
    pub(crate) usage: Usage,
    /// What the reported tokens are made of.
    pub(crate) details: UsageDetails,
    /// Tells whether a Chat Completions stream ends with usage.
    pub(crate) include_usage: bool,
}

/// A part of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    /// Thoughts, and whether they are seen.
    Thought { text: Text, shown: bool },
    /// Text.
    Text(Text),
    /// Words for not answering.
    Refusal(Text),
    /// A call of the tool with this name; the arguments are a JSON object.
    Call { name: String, arguments: Text },
}

impl Block {
    /// Gives the text, or the arguments of the call.
    pub(crate) fn text(&self) -> &Text {
        match self {
            Block::Thought { text, .. } | Block::Text(text) | Block::Refusal(text) => text,
            Block::Call { arguments, .. } => arguments,
        }
    }
}

impl Answer {
    /// Answers `ask`, whose body has `body_bytes` bytes and the hash `hash`, as the mock `name`.
    pub(crate) fn new(name: &str, ask: Ask, body_bytes: u64, hash: u128, reply: &Reply) -> Self {
        let id = hash as u64;
        let mut blocks = Vec::with_capacity(1);
        if let (Some(thinking), true) = (&reply.thinking, ask.thoughts != Thoughts::Off) {
            let shown = ask.thoughts == Thoughts::Shown;
            blocks.push(Block::Thought { text: Text::words(thinking.clone()), shown });
        }
        let calls = ask.tools.map(|talk| talk.decide(&reply.calls)).unwrap_or_default();
        if calls.is_empty() {
            blocks.push(match &reply.refusal {
                Some(words) => Block::Refusal(Text::words(words.clone())),
                None => Block::Text(text(name, body_bytes, id, ask.schema.as_ref(), reply)),
            });
        } else {
            blocks.extend(reply.preamble.clone().map(|words| Block::Text(Text::words(words))));
            blocks.extend(calls.into_iter().map(call));
        }
        let (usage, details) = usage(&blocks, body_bytes, reply);
        Self {
            id,
            model: ask.model,
            blocks,
            finish: reply.finish,
            usage,
            details,
            include_usage: ask.include_usage,
        }
    }

    /// Tells whether tools are called.
    pub(crate) fn calls(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block, Block::Call { .. }))
    }

    /// Tells whether thoughts precede what is said, seen or not.
    pub(crate) fn thinks(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block, Block::Thought { .. }))
    }

    /// Tells whether the model declines.
    pub(crate) fn refuses(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block, Block::Refusal(_)))
    }

    /// Makes the number in the id of block `index`; that of the first one is the answer's own.
    pub(crate) fn block_id(&self, index: usize) -> u64 {
        self.id.wrapping_add(index as u64)
    }

    /// Counts the tokens of everything that is said.
    pub(crate) fn tokens(&self) -> u64 {
        self.blocks.iter().map(|block| block.text().tokens()).sum()
    }

    /// Tells how many bytes the given texts have.
    pub(crate) fn room(&self) -> usize {
        self.blocks.iter().map(|block| block.text().as_str().len()).sum()
    }
}

/// Counts the tokens of `bytes` bytes: a quarter, rounded up, at least one.
pub(crate) fn tokens_of(bytes: u64) -> u64 {
    bytes.div_ceil(4).max(1)
}

fn call((tool, arguments): (Tool, Option<Value>)) -> Block {
    let arguments = arguments.unwrap_or_else(|| schema::sample(&tool.schema));
    Block::Call { name: tool.name, arguments: Text::runs(arguments.to_string(), ARGUMENT_BYTES) }
}

fn text(name: &str, body_bytes: u64, id: u64, schema: Option<&Value>, reply: &Reply) -> Text {
    if let Some(text) = &reply.text {
        return Text::words(text.clone());
    }
    if let Some(total) = reply.total_bytes {
        return Text::filler(total, reply.token_bytes.unwrap_or(LARGE_TOKEN_BYTES));
    }
    if let Some(tokens) = reply.tokens {
        let token = reply.token_bytes.unwrap_or(TOKEN_BYTES);
        return Text::filler(tokens.saturating_mul(token), token);
    }
    if let Some(schema) = schema {
        return Text::runs(schema::sample(schema).to_string(), ARGUMENT_BYTES);
    }
    Text::words(format!("{name} read {body_bytes} bytes with hash {id:016x}."))
}

/// Counts what is said; what the script gives goes first.
fn usage(blocks: &[Block], body_bytes: u64, reply: &Reply) -> (Usage, UsageDetails) {
    let tokens = |block: &Block| block.text().tokens();
    let thought = blocks.iter().filter(|block| matches!(block, Block::Thought { .. })).map(tokens).sum();
    let counted =
        Usage { input_tokens: tokens_of(body_bytes), output_tokens: blocks.iter().map(tokens).sum() };
    let details =
        reply.usage_details.unwrap_or(UsageDetails { reasoning_tokens: thought, ..UsageDetails::default() });
    (reply.usage.unwrap_or(counted), details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Call;
    use serde_json::json;

    fn asking(result_is_last: bool) -> Ask {
        let tool = |name: &str| Tool { name: name.into(), schema: Value::Null };
        let talk =
            ToolTalk { tools: vec![tool("read"), tool("write")], result_is_last, ..ToolTalk::default() };
        Ask { tools: Some(talk), thoughts: Thoughts::Hidden, ..Ask::default() }
    }

    #[test]
    fn the_same_request_gives_the_same_answer() {
        let make = || Answer::new("m", Ask::default(), 41, 7, &Reply::default());
        assert_eq!(make().blocks[0].text().as_str(), "m read 41 bytes with hash 0000000000000007.");
        assert_eq!(make().usage, Usage { input_tokens: 11, output_tokens: 7 });
    }

    #[test]
    fn filler_counts_the_tokens_that_were_ordered() {
        let reply = Reply { tokens: Some(200), token_bytes: Some(4), ..Reply::default() };
        let answer = Answer::new("m", Ask::default(), 1, 7, &reply);
        assert_eq!(answer.usage.output_tokens, 200);
    }

    #[test]
    fn scripted_calls_follow_thoughts_and_words_until_their_results_are_there() {
        let calls = vec![
            Call { name: Some("write".into()), arguments: Some(json!({"path": "a"})) },
            Call { name: Some("unknown".into()), arguments: None },
            Call::default(),
        ];
        let reply = Reply {
            thinking: Some("Let me think.".into()),
            preamble: Some("Wait.".into()),
            text: Some("Done.".into()),
            calls,
            ..Reply::default()
        };
        let said = |ask| -> Vec<String> {
            let blocks = Answer::new("m", ask, 1, 7, &reply).blocks;
            blocks.iter().map(|block| block.text().as_str().to_owned()).collect()
        };
        assert_eq!(said(asking(false)), ["Let me think.", "Wait.", r#"{"path":"a"}"#, "{}"]);
        assert_eq!(said(asking(true)), ["Let me think.", "Done."]);
    }

    #[test]
    fn a_schema_is_answered_with_json_and_thoughts_are_counted() {
        let schema = json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}});
        let ask = Ask { schema: Some(schema), thoughts: Thoughts::Shown, ..Ask::default() };
        let reply = Reply { thinking: Some("One two.".into()), ..Reply::default() };
        let answer = Answer::new("m", ask, 1, 7, &reply);
        assert_eq!(answer.blocks[1].text().as_str(), r#"{"n":1}"#);
        assert_eq!(answer.details.reasoning_tokens, 2);
    }
}
