//! The profiles that need no declaration: what vendors and servers document of how they differ from OpenAI.

use cliproxy_domain::{ErrorClass, ErrorRule, MaxTokensName, Profile};

/// A profile that is there without being declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// What a compatible provider without `profile` gets, and a profile without `extends` starts from.
    Generic,
    /// vLLM's server.
    Vllm,
    /// Ollama's `/v1`.
    Ollama,
    /// openrouter.ai.
    OpenRouter,
    /// api.deepseek.com.
    DeepSeek,
    /// api.groq.com.
    Groq,
    /// A resource of Azure OpenAI, by its v1 API.
    AzureOpenAi,
}

impl BuiltIn {
    /// All of them, in the order of the configuration reference.
    pub const ALL: [BuiltIn; 7] = [
        BuiltIn::Generic,
        BuiltIn::Vllm,
        BuiltIn::Ollama,
        BuiltIn::OpenRouter,
        BuiltIn::DeepSeek,
        BuiltIn::Groq,
        BuiltIn::AzureOpenAi,
    ];

    /// Names the profile as the file spells it.
    pub fn name(self) -> &'static str {
        match self {
            BuiltIn::Generic => "generic",
            BuiltIn::Vllm => "vllm",
            BuiltIn::Ollama => "ollama",
            BuiltIn::OpenRouter => "openrouter",
            BuiltIn::DeepSeek => "deepseek",
            BuiltIn::Groq => "groq",
            BuiltIn::AzureOpenAi => "azure_openai",
        }
    }

    /// Gives what it says.
    pub fn profile(self) -> Profile {
        match self {
            BuiltIn::Generic => generic(),
            BuiltIn::Vllm => vllm(),
            BuiltIn::Ollama => ollama(),
            BuiltIn::OpenRouter => openrouter(),
            BuiltIn::DeepSeek => deepseek(),
            BuiltIn::Groq => groq(),
            BuiltIn::AzureOpenAi => azure_openai(),
        }
    }
}

/// What most servers take. `max_tokens` and `system` are the older spellings, which servers that know the newer ones
/// take as well. A schema, `parallel_tool_calls` and `include_usage` are sent although some server may refuse
/// them: without, a client would get something else than it asked for and not be told.
fn generic() -> Profile {
    Profile { max_tokens: MaxTokensName::MaxTokens, developer_role: false, ..Profile::default() }
}

/// vLLM calls reasoning `reasoning` since 0.11 and no longer reads `reasoning_content`. Whether a chat template
/// knows `developer` hangs on the model, and every one knows `system`.
fn vllm() -> Profile {
    Profile { reasoning_field: "reasoning".to_owned(), ..generic() }
}

/// `parallel_tool_calls` is not among the fields that Ollama lists. A model that was not pulled is a 404.
fn ollama() -> Profile {
    Profile {
        reasoning_field: "reasoning".to_owned(),
        parallel_tool_calls: false,
        errors: vec![of_status(404, ErrorClass::NotFound)],
        ..generic()
    }
}

/// Errors of the model come with status 200, and `code` is the status they would have had. 402 is an empty account
/// or a key's own limit.
fn openrouter() -> Profile {
    Profile {
        reasoning_field: "reasoning".to_owned(),
        errors: vec![of_status(402, ErrorClass::Billing), of_code("402", ErrorClass::Billing)],
        ..generic()
    }
}

/// `response_format` is `text` or `json_object`. 402 is "insufficient balance", 422 "invalid parameters".
fn deepseek() -> Profile {
    Profile {
        strict_schemas: false,
        parallel_tool_calls: false,
        errors: vec![
            of_status(402, ErrorClass::Billing),
            of_status(422, ErrorClass::InvalidRequest),
            of_status(503, ErrorClass::Overloaded),
        ],
        ..generic()
    }
}

/// `max_tokens` is deprecated. 498 says that the flex tier is full. A request above the tokens of a minute is a 413
/// that calls itself a rate limit, and waiting does not help it. A daily limit is a 429 like any other but for its
/// text. A model that garbles a call or its JSON is a 400, which another attempt may well pass.
fn groq() -> Profile {
    let daily = |unit: &str| ErrorRule {
        message: Some(format!("{unit} per day")),
        ..of_status(429, ErrorClass::SpendOrDailyLimit)
    };
    Profile {
        max_tokens: MaxTokensName::MaxCompletionTokens,
        reasoning_field: "reasoning".to_owned(),
        errors: vec![
            of_status(413, ErrorClass::TooLarge),
            of_status(498, ErrorClass::Overloaded),
            of_code("capacity_exceeded", ErrorClass::Overloaded),
            daily("tokens"),
            daily("requests"),
            of_code("tool_use_failed", ErrorClass::Upstream),
            of_code("json_validate_failed", ErrorClass::Upstream),
        ],
        ..generic()
    }
}

/// OpenAI's own models under a resource's base URL: the v1 API, which needs no `api-version`. Ids of tool calls had
/// 40 characters at most in many of its versions.
fn azure_openai() -> Profile {
    Profile {
        auth_header: "api-key".to_owned(),
        auth_prefix: String::new(),
        chat_path: Some("/openai/v1/chat/completions".to_owned()),
        embeddings_path: Some("/openai/v1/embeddings".to_owned()),
        max_tool_id: 40,
        errors: vec![of_code("DeploymentNotFound", ErrorClass::NotFound)],
        ..Profile::default()
    }
}

fn of_status(status: u16, class: ErrorClass) -> ErrorRule {
    ErrorRule { status: Some(status), code: None, message: None, class }
}

fn of_code(code: &str, class: ErrorClass) -> ErrorRule {
    ErrorRule { status: None, code: Some(code.to_owned()), message: None, class }
}
