//! Profiles of compatible servers.

use super::super::{
    ConvertError, required,
    word::{self, Word},
};
use crate::v1;
use cliproxy_domain::{ErrorRule, Profile};

/// The least length of ids that leaves room for what keeps a shortened one apart from others.
const LEAST_TOOL_ID: u32 = 16;

pub(super) fn to_wire(profile: &Profile) -> v1::Profile {
    v1::Profile {
        auth_header: profile.auth_header.clone(),
        auth_prefix: profile.auth_prefix.clone(),
        headers: profile
            .headers
            .iter()
            .map(|(name, value)| v1::Header { name: name.clone(), value: value.clone() })
            .collect(),
        chat_path: profile.chat_path.clone(),
        embeddings_path: profile.embeddings_path.clone(),
        query: profile.query.clone(),
        max_tokens: profile.max_tokens.word().to_owned(),
        stream_usage: profile.stream_usage,
        developer_role: profile.developer_role,
        strict_schemas: profile.strict_schemas,
        parallel_tool_calls: profile.parallel_tool_calls,
        reasoning_field: profile.reasoning_field.clone(),
        max_tool_id: u32::try_from(profile.max_tool_id).unwrap_or(u32::MAX),
        errors: profile.errors.iter().map(rule_to_wire).collect(),
    }
}

pub(super) fn from_wire(wire: &v1::Profile) -> Result<Profile, ConvertError> {
    let path = |field: &'static str, path: &Option<String>| {
        path.clone().map(|path| checked(field, path, is_path, "a path that begins with a slash")).transpose()
    };
    Ok(Profile {
        auth_header: header_name("Profile.auth_header", &wire.auth_header)?,
        auth_prefix: header_value("Profile.auth_prefix", &wire.auth_prefix)?,
        headers: wire
            .headers
            .iter()
            .map(|header| {
                let name = header_name("Header.name", &header.name)?;
                Ok((name, header_value("Header.value", &header.value)?))
            })
            .collect::<Result<_, ConvertError>>()?,
        chat_path: path("Profile.chat_path", &wire.chat_path)?,
        embeddings_path: path("Profile.embeddings_path", &wire.embeddings_path)?,
        query: wire
            .query
            .clone()
            .map(|query| checked("Profile.query", query, is_query, "an encoded query without `?` and `#`"))
            .transpose()?,
        max_tokens: word::read("Profile.max_tokens", &wire.max_tokens)?,
        stream_usage: wire.stream_usage,
        reasoning_field: required("Profile.reasoning_field", &wire.reasoning_field)?.to_owned(),
        developer_role: wire.developer_role,
        strict_schemas: wire.strict_schemas,
        parallel_tool_calls: wire.parallel_tool_calls,
        max_tool_id: max_tool_id(wire.max_tool_id)?,
        errors: wire.errors.iter().map(rule_from_wire).collect::<Result<_, _>>()?,
    })
}

fn max_tool_id(wire: u32) -> Result<usize, ConvertError> {
    if wire < LEAST_TOOL_ID {
        let field = "Profile.max_tool_id";
        return Err(ConvertError::OutOfRange { field, value: i128::from(wire), expected: "at least 16" });
    }
    Ok(usize::try_from(wire).unwrap_or(usize::MAX))
}

fn rule_to_wire(rule: &ErrorRule) -> v1::ErrorRule {
    v1::ErrorRule {
        status: rule.status.map(u32::from),
        code: rule.code.clone(),
        message: rule.message.clone(),
        class: rule.class.word().to_owned(),
    }
}

fn rule_from_wire(wire: &v1::ErrorRule) -> Result<ErrorRule, ConvertError> {
    if wire.status.is_none() && wire.code.is_none() && wire.message.is_none() {
        // It would fit every error.
        return Err(ConvertError::Missing { field: "a condition of ErrorRule" });
    }
    let status = match wire.status {
        Some(status) => Some(u16::try_from(status).map_err(|_| ConvertError::OutOfRange {
            field: "ErrorRule.status",
            value: i128::from(status),
            expected: "an HTTP status",
        })?),
        None => None,
    };
    Ok(ErrorRule {
        status,
        code: wire.code.clone(),
        message: wire.message.clone(),
        class: word::read("ErrorRule.class", &wire.class)?,
    })
}

fn header_name(field: &'static str, name: &str) -> Result<String, ConvertError> {
    required(field, name)?;
    checked(field, name.to_owned(), is_header_name, "the name of a header in lower case")
}

fn header_value(field: &'static str, value: &str) -> Result<String, ConvertError> {
    checked(field, value.to_owned(), is_header_value, "visible ASCII characters and blanks")
}

fn checked(
    field: &'static str,
    value: String,
    is_sound: fn(&str) -> bool,
    expected: &'static str,
) -> Result<String, ConvertError> {
    if is_sound(&value) { Ok(value) } else { Err(ConvertError::Malformed { field, value, expected }) }
}

/// Tells whether a text is a token of RFC 9110 §5.6.2 without capitals.
fn is_header_name(name: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
    name.bytes().all(is_part)
}

fn is_header_value(value: &str) -> bool {
    value.bytes().all(|b| matches!(b, b' ' | b'\t' | 0x21..=0x7e))
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'))
}

fn is_query(query: &str) -> bool {
    query.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'))
}
