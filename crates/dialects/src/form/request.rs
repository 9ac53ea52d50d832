//! A request for an answer.

use super::{Bag, CacheMark, Part, PartKind};
use crate::needs;
use cliproxy_domain::{Dialect, Effort, Need, Needs};
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;

/// A request for an answer, whichever dialect it came in.
///
/// What is absent was not said: encoders never invent it, with the exceptions that the wire formats name.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The dialect that it came in.
    pub from: Dialect,
    /// The model as asked for. Encoders write the target's name instead.
    pub model: String,
    /// Instructions and the conversation, in order.
    pub turns: Vec<Turn>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tools: Option<bool>,
    /// How the answer is to be formed.
    pub format: Option<OutputFormat>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Tokens of the answer at most, reasoning included.
    pub max_output: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How many answers; absent for one.
    pub choices: Option<u64>,
    /// How much to think.
    pub reasoning: Reasoning,
    /// `low`, `medium` or `high`.
    pub verbosity: Option<String>,
    /// Whether the answer is to have sound or images; `modalities` and the like stay in the bag.
    pub media_output: bool,
    /// Who asks, as the client's own opaque id (`safety_identifier`, `metadata.user_id`).
    pub user: Option<String>,
    /// Pairs that the provider stores with the answer (OpenAI's `metadata`).
    pub metadata: Option<Map<String, Value>>,
    /// The service tier.
    pub tier: Option<Tier>,
    /// Marks the last block that can be cached (Anthropic's top-level `cache_control`).
    pub cache: Option<CacheMark>,
    /// OpenAI's `prompt_cache_key`.
    pub cache_key: Option<String>,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Whether the client of a chat stream asked for usage.
    pub stream_usage: bool,
    /// Names of the fields that refer to state that a provider keeps for the client, as `previous_response_id`.
    /// Their values are in the bag.
    pub server_state: Vec<&'static str>,
    /// Everything else at the top level.
    pub bag: Bag,
    /// Fields of its own dialect that say nothing to another, as a default said aloud: they go back to their own
    /// dialect, and others leave them out without a warning.
    pub quiet: Bag,
}

impl Request {
    /// Makes an empty request.
    pub fn new(from: Dialect, model: impl Into<String>) -> Self {
        Self {
            from,
            model: model.into(),
            turns: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tools: None,
            format: None,
            sampling: Sampling::default(),
            max_output: None,
            stop: Vec::new(),
            choices: None,
            reasoning: Reasoning::default(),
            verbosity: None,
            media_output: false,
            user: None,
            metadata: None,
            tier: None,
            cache: None,
            cache_key: None,
            stream: false,
            stream_usage: false,
            server_state: Vec::new(),
            bag: Bag::default(),
            quiet: Bag::default(),
        }
    }

    /// Tells whether the client is to read thoughts: it said so, or it asked for thinking in a dialect whose answers
    /// show it unless they are told otherwise.
    pub fn wants_thoughts(&self) -> bool {
        let thinks = self.reasoning.effort.is_some_and(|effort| effort != Effort::None);
        match self.from {
            Dialect::OpenAiChat | Dialect::Anthropic => self.reasoning.shown.unwrap_or(thinks),
            Dialect::OpenAiResponses | Dialect::Gemini => self.reasoning.shown == Some(true),
        }
    }

    /// Tells whether the history holds reasoning.
    pub fn has_reasoning(&self) -> bool {
        let reasons = |part: &Part| matches!(part.kind, PartKind::Reasoning { .. });
        self.turns.iter().any(|turn| turn.parts.iter().any(reasons))
    }

    /// Lists what a target must have to take this request, for the dialect `to`.
    pub fn needs(&self, to: Dialect) -> Needs {
        needs::of(self, to)
    }

    /// Names the tools that take free text.
    pub(crate) fn free_tools(&self) -> BTreeSet<&str> {
        let free = self.tools.iter().filter(|tool| matches!(tool.kind, ToolKind::Free(_)));
        free.map(|tool| tool.name.as_str()).collect()
    }

    /// Names the field because of which `need` is among the needs, in the words of the client's dialect.
    pub fn field_of(&self, need: Need) -> std::borrow::Cow<'static, str> {
        needs::field(self, need)
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Whose.
    pub role: Role,
    /// What it says.
    pub parts: Vec<Part>,
    /// The participant's name, which only chat knows.
    pub name: Option<String>,
    /// Fields that its own dialect has alone.
    pub bag: Bag,
}

impl Turn {
    /// Makes a turn.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, parts, name: None, bag: Bag::default() }
    }
}

/// Whose message. Tool results are parts of a user's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// An instruction, under OpenAI's older name. Anthropic's and Gemini's system prompts are this.
    System,
    /// An instruction, under OpenAI's newer name.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// Tells whether the message is an instruction.
    pub fn is_instruction(self) -> bool {
        matches!(self, Role::System | Role::Developer)
    }
}

/// Something that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name; empty for a vendor's own tool that has none.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it takes.
    pub kind: ToolKind,
    /// Whether the prompt up to here should be cached.
    pub cache: Option<CacheMark>,
    /// Fields that its own dialect has alone.
    pub bag: Bag,
}

/// What a tool takes.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// Arguments of a JSON schema.
    Function {
        /// The schema in JSON Schema; absent for a function without arguments.
        schema: Option<Value>,
        /// Whether the arguments must follow it to the letter.
        strict: Option<bool>,
    },
    /// Free text.
    Free(Option<FreeFormat>),
    /// A vendor's own tool, which runs at the vendor.
    Vendor {
        /// Whose.
        dialect: Dialect,
        /// Its `type`, or Gemini's field name.
        name: String,
        /// All of it.
        json: Value,
    },
}

/// A grammar for the input of a free-form tool, as the client wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct FreeFormat(pub Value);

impl FreeFormat {
    /// Tells whether the input has to follow a grammar: `text` is the default, said aloud.
    pub fn is_grammar(&self) -> bool {
        self.0.get("type").is_none_or(|kind| kind != "text")
    }
}

/// Whether the model must call a tool.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolChoice {
    /// It must not.
    None,
    /// As it sees fit.
    Auto,
    /// It must call one.
    Required,
    /// It must call this one.
    One(String),
    /// Only these, and whether one of them must be called.
    Some {
        /// The tools.
        names: Vec<String>,
        /// Whether one must be called.
        required: bool,
    },
    /// A form for a vendor's own tools.
    Vendor {
        /// Whose.
        dialect: Dialect,
        /// All of it.
        json: Value,
    },
}

impl ToolChoice {
    /// Gives the tools that may be called, where only some may.
    pub(crate) fn subset(&self) -> Option<BTreeSet<&str>> {
        match self {
            ToolChoice::Some { names, .. } => Some(names.iter().map(String::as_str).collect()),
            _ => None,
        }
    }
}

/// How an answer is to be formed.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputFormat {
    /// As text: the default, said aloud.
    Text,
    /// As JSON of any shape.
    Json,
    /// As JSON of a schema.
    Schema {
        /// Its name, where the dialect has one.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema in JSON Schema.
        schema: Value,
        /// Whether it must be followed to the letter.
        strict: Option<bool>,
    },
}

/// How tokens are drawn. Numbers keep the client's spelling.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// 0 to 2; 0 to 1 for Anthropic.
    pub temperature: Option<Number>,
    /// 0 to 1.
    pub top_p: Option<Number>,
    /// A whole number.
    pub top_k: Option<Number>,
    /// −2 to 2.
    pub presence_penalty: Option<Number>,
    /// −2 to 2.
    pub frequency_penalty: Option<Number>,
    /// A whole number.
    pub seed: Option<Number>,
    /// Whether log probabilities are wanted.
    pub logprobs: Option<bool>,
    /// How many alternatives with them.
    pub top_logprobs: Option<u64>,
}

/// How much to think, and what is shown of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// How much; absent when the client said nothing.
    pub effort: Option<Effort>,
    /// The client's own budget in tokens, kept beside the effort that it stands for. `None` with an effort of
    /// more than none where the model decides.
    pub budget: Option<u64>,
    /// Whether the client wants to read the thoughts; absent when it said nothing.
    pub shown: Option<bool>,
}

/// The service tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tier {
    /// As the account is set up.
    Auto,
    /// The usual one, even if the account has a better one.
    Standard,
    /// Cheaper and slower.
    Flex,
    /// Dearer and steadier.
    Priority,
    /// Dearer and faster.
    Fast,
    /// One that only its own dialect has.
    Other(String),
}
