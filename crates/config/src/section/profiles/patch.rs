//! What one declared profile says over the one that it extends.

use super::{errors, http};
use crate::{field::Field, section::choices};
use cliproxy_domain::{ErrorRule, MaxTokensName, Profile};

/// What a profile says itself; what it leaves out, the one that it extends says.
#[derive(Default)]
pub struct Patch {
    auth_header: Option<String>,
    auth_prefix: Option<String>,
    headers: Vec<(String, String)>,
    chat_path: Option<String>,
    embeddings_path: Option<String>,
    query: Vec<(String, String)>,
    max_tokens: Option<MaxTokensName>,
    stream_usage: Option<bool>,
    reasoning_field: Option<String>,
    developer_role: Option<bool>,
    strict_schemas: Option<bool>,
    parallel_tool_calls: Option<bool>,
    max_tool_id: Option<usize>,
    errors: Vec<ErrorRule>,
}

impl Patch {
    /// Reads what stands under a profile's name.
    pub fn read(field: &Field<'_>) -> Self {
        let boolean = |key: &str| field.child(key).and_then(|field| field.boolean());
        let paths = field.section("paths");
        let path = |key: &str| paths.as_ref().and_then(|paths| paths.child(key)).and_then(|f| http::path(&f));
        let names = choices(MaxTokensName::ALL, MaxTokensName::as_str);
        Self {
            auth_header: field.child("auth_header").and_then(|field| http::auth_header(&field)),
            auth_prefix: field.child("auth_prefix").and_then(|field| http::auth_prefix(&field)),
            headers: read_headers(field),
            chat_path: path("chat"),
            embeddings_path: path("embeddings"),
            query: read_query(field),
            max_tokens: field.child("max_tokens").and_then(|field| field.choice("name", &names)),
            stream_usage: boolean("stream_usage"),
            reasoning_field: field.child("reasoning_field").and_then(|field| read_reasoning_field(&field)),
            developer_role: boolean("developer_role"),
            strict_schemas: boolean("strict_schemas"),
            parallel_tool_calls: boolean("parallel_tool_calls"),
            max_tool_id: field.child("max_tool_id").and_then(|field| read_max_tool_id(&field)),
            errors: errors::read(field),
        }
    }

    /// Puts what is said here over `base`. Headers and parameters are replaced one by one; rules for errors come
    /// before those of `base`.
    pub fn apply(&self, base: &mut Profile) {
        fn set<T: Clone>(base: &mut T, own: &Option<T>) {
            if let Some(own) = own {
                base.clone_from(own);
            }
        }
        set(&mut base.auth_header, &self.auth_header);
        set(&mut base.auth_prefix, &self.auth_prefix);
        http::merge(&mut base.headers, &self.headers);
        base.chat_path = self.chat_path.clone().or(base.chat_path.take());
        base.embeddings_path = self.embeddings_path.clone().or(base.embeddings_path.take());
        base.query = http::merge_query(base.query.as_deref(), &self.query);
        set(&mut base.max_tokens, &self.max_tokens);
        set(&mut base.stream_usage, &self.stream_usage);
        set(&mut base.reasoning_field, &self.reasoning_field);
        set(&mut base.developer_role, &self.developer_role);
        set(&mut base.strict_schemas, &self.strict_schemas);
        set(&mut base.parallel_tool_calls, &self.parallel_tool_calls);
        set(&mut base.max_tool_id, &self.max_tool_id);
        base.errors.splice(..0, self.errors.iter().cloned());
    }
}

fn read_headers(profile: &Field<'_>) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    let Some(section) = profile.section("headers") else { return headers };
    for (name, field) in section.entries() {
        let Some(header) = http::header(name, &field) else { continue };
        if headers.iter().any(|known| known.0 == header.0) {
            field.refuse_key("the header stands here twice, as case makes no difference; remove one");
            continue;
        }
        headers.push(header);
    }
    headers
}

fn read_query(profile: &Field<'_>) -> Vec<(String, String)> {
    let entries = profile.section("query").map(|section| section.entries()).unwrap_or_default();
    entries.iter().filter_map(|(name, field)| http::parameter(name, field)).collect()
}

/// Reads the name of the field of a message that holds reasoning. The fields that messages have anyway are refused.
fn read_reasoning_field(field: &Field<'_>) -> Option<String> {
    const TAKEN: [&str; 8] =
        ["role", "content", "refusal", "tool_calls", "tool_call_id", "function_call", "name", "audio"];
    let text = field.text()?;
    let is_name = text.value.len() <= 64
        && text.value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if !is_name || TAKEN.contains(&text.value.as_str()) {
        let example = "such as `reasoning_content` or `reasoning`";
        field.refuse(format!("{} cannot name the field of reasoning; write one {example}", field.shown()));
        return None;
    }
    Some(text.value)
}

/// Reads the length of ids. A shortened id needs room for what keeps it apart from others.
fn read_max_tool_id(field: &Field<'_>) -> Option<usize> {
    field.number(16..=1_000).and_then(|number| usize::try_from(number).ok())
}
