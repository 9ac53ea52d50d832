//! `Debug` for the generated messages that hold keys, texts that may, or the encoded bodies of messages that do.

use crate::v1;
use std::fmt;

impl fmt::Debug for v1::Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .field("api_key", &"[secret]")
            .field("weight", &self.weight)
            .field("rate_limit", &self.rate_limit)
            .field("quota", &self.quota)
            .finish()
    }
}

// Of a hash the first six bytes, which are the key's name.
impl fmt::Debug for v1::ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id: String = self.hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        f.debug_struct("ClientKey")
            .field("hash", &format_args!("{id}…"))
            .field("expires_at_ms", &self.expires_at_ms)
            .finish()
    }
}

impl fmt::Debug for v1::Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("kind", &self.kind)
            .field("key", &self.key)
            .field("op", &self.op)
            .field("body", &format_args!("[{} bytes]", self.body.len()))
            .finish()
    }
}

impl fmt::Debug for v1::ApplyConfigRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplyConfigRequest")
            .field("text", &format_args!("[{} bytes]", self.text.len()))
            .field("expected", &self.expected)
            .field("reason", &self.reason)
            .finish()
    }
}

impl fmt::Debug for v1::DryRunConfigRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format_args!("[{} bytes]", self.text.len());
        f.debug_struct("DryRunConfigRequest").field("text", &text).finish()
    }
}

// Its body may be a configuration.
impl fmt::Debug for v1::AskRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("body", &format_args!("[{} bytes]", self.body.len()))
            .field("actor", &self.actor)
            .field("from", &self.from)
            .field("content_type", &self.content_type)
            .finish()
    }
}

// Its body may hold a key that was made just now.
impl fmt::Debug for v1::AskResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskResponse")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("body", &format_args!("[{} bytes]", self.body.len()))
            .finish()
    }
}

impl fmt::Debug for v1::ClientKeyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKeyChange")
            .field("client", &self.client)
            .field("key", &self.key.as_ref().map(|_| "[secret]"))
            .field("details", &self.details)
            .field("replaces", &self.replaces)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn debug_shows_no_key_at_any_depth() {
        let provider = v1::Provider {
            name: "claude".into(),
            credentials: vec![v1::Credential {
                name: "main".into(),
                api_key: "sk-hidden".into(),
                ..v1::Credential::default()
            }],
            ..Default::default()
        };
        let change = v1::Change { body: provider.encode_to_vec().into(), ..Default::default() };
        let delta = v1::Delta { changes: vec![change], ..Default::default() };
        let apply = v1::ApplyConfigRequest { text: "api_key: sk-hidden".into(), ..Default::default() };
        let dry_run = v1::DryRunConfigRequest { text: apply.text.clone() };
        let ask = v1::AskRequest { body: apply.text.clone().into_bytes(), ..Default::default() };
        let answer = v1::AskResponse { body: ask.body.clone(), ..Default::default() };
        let made = v1::ClientKeyChange { key: Some("sk-hidden".into()), ..Default::default() };
        let bytes_of_key = format!("{:?}", "sk-hidden".as_bytes());
        let of_operators = [
            format!("{apply:?}"),
            format!("{dry_run:?}"),
            format!("{ask:?}"),
            format!("{answer:?}"),
            format!("{made:?}"),
        ];
        for shown in [format!("{provider:?}"), format!("{delta:?}")].into_iter().chain(of_operators) {
            assert!(!shown.contains("sk-hidden"), "{shown}");
            assert!(!shown.contains(bytes_of_key.trim_matches(['[', ']'])), "{shown}");
        }
    }

    #[test]
    fn debug_shows_of_a_clients_key_its_name_alone() {
        let key = v1::ClientKey { hash: (0..32).collect(), expires_at_ms: Some(5) };
        let client = v1::Client { keys: vec![key], ..Default::default() };
        let shown = format!("{client:?}");
        assert!(shown.contains("ClientKey { hash: 000102030405…, expires_at_ms: Some(5) }"), "{shown}");
    }
}
