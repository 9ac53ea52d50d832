//! `Debug` for the generated messages that hold keys, or the encoded bodies of messages that do.

use crate::v1;
use std::fmt;

impl fmt::Debug for v1::Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .field("api_key", &"[secret]")
            .field("weight", &self.weight)
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

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn debug_shows_no_key_at_any_depth() {
        let provider = v1::Provider {
            name: "claude".into(),
            credentials: vec![v1::Credential { name: "main".into(), api_key: "sk-hidden".into(), weight: 1 }],
            ..Default::default()
        };
        let change = v1::Change { body: provider.encode_to_vec().into(), ..Default::default() };
        let delta = v1::Delta { changes: vec![change], ..Default::default() };
        let bytes_of_key = format!("{:?}", "sk-hidden".as_bytes());
        for shown in [format!("{provider:?}"), format!("{delta:?}")] {
            assert!(!shown.contains("sk-hidden"), "{shown}");
            assert!(!shown.contains(bytes_of_key.trim_matches(['[', ']'])), "{shown}");
        }
    }
}
