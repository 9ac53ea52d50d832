//! The operations that there are.

use cliproxy_domain::operate::{KeyVerb, MAX_BODY, Verb};
use http::Method;

/// Where they all are.
pub(super) const OPERATIONS: &str = "/v0/operations/";
/// The largest configuration that is handed on, in bytes.
const MAX_CONFIG: usize = 1024 * 1024;

/// One operation. What a node knows of itself has a name here; the rest only the control plane can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// `GET providers/status`
    Providers,
    /// `GET cooldown/status`
    Cooldowns,
    /// `GET load_balancing/status`
    LoadBalancing,
    /// `GET quotas`
    Quotas,
    /// `GET explain`
    Explain,
    /// `GET failover`
    Failover,
    /// `GET requests/{id}`
    Request(String),
    /// `POST providers/{provider}/{verb}`
    Change(Verb, String),
    /// `POST clients/{client}/keys`, `…/keys/{id}/rotate` and `…/keys/{id}/revoke`
    KeyChange(KeyVerb),
    /// Everything else that is handed on, with what its body may hold.
    Cluster { max_body: usize },
}

/// Why a request is no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoOperation {
    /// There is no such path.
    NotFound,
    /// The path takes these methods only.
    Method(&'static str),
    /// A name in it is no text.
    Encoding,
}

const GET: &str = "GET, HEAD";

impl Operation {
    /// Finds the operation of a method and a path.
    pub(super) fn find(method: &Method, path: &str) -> Result<Self, NoOperation> {
        let names = path.strip_prefix(OPERATIONS).ok_or(NoOperation::NotFound)?;
        let names: Vec<&str> = names.split('/').collect();
        let cluster = |max_body| Operation::Cluster { max_body };
        let (allow, operation) = match names.as_slice() {
            ["providers", "status"] => (GET, Operation::Providers),
            ["cooldown", "status"] => (GET, Operation::Cooldowns),
            ["load_balancing", "status"] => (GET, Operation::LoadBalancing),
            ["explain"] => (GET, Operation::Explain),
            ["failover"] => (GET, Operation::Failover),
            ["requests", id] if !id.is_empty() => (GET, Operation::Request(decoded(id)?)),
            ["quotas"] => (GET, Operation::Quotas),
            ["usage" | "nodes" | "alerts" | "audit"] | ["config", "history"] => (GET, cluster(MAX_BODY)),
            ["clients"] | ["prices"] => (GET, cluster(MAX_BODY)),
            ["quotas", "release"] => ("POST", cluster(MAX_BODY)),
            ["clients", client, "keys"] if !client.is_empty() => {
                let operation = match *method {
                    Method::POST => Operation::KeyChange(KeyVerb::Create),
                    _ => cluster(MAX_BODY),
                };
                ("GET, HEAD, POST", operation)
            }
            ["clients", client, "keys", id, verb @ ("rotate" | "revoke")]
                if !client.is_empty() && !id.is_empty() =>
            {
                let verb = if *verb == "rotate" { KeyVerb::Rotate } else { KeyVerb::Revoke };
                ("POST", Operation::KeyChange(verb))
            }
            ["config"] => ("GET, HEAD, PUT", cluster(MAX_CONFIG)),
            ["config", "check" | "rollback"] => ("POST", cluster(MAX_CONFIG)),
            ["providers", provider, "cooldown"] if !provider.is_empty() => {
                ("POST", Operation::Change(Verb::Cooldown, decoded(provider)?))
            }
            ["providers", provider, "recover"] if !provider.is_empty() => {
                ("POST", Operation::Change(Verb::Recover, decoded(provider)?))
            }
            _ => return Err(NoOperation::NotFound),
        };
        if allow.split(", ").any(|allowed| allowed == method.as_str()) {
            Ok(operation)
        } else {
            Err(NoOperation::Method(allow))
        }
    }

    /// Tells how many bytes its body may have.
    pub(super) fn max_body(&self) -> usize {
        match self {
            Operation::Cluster { max_body } => *max_body,
            _ => MAX_BODY,
        }
    }
}

/// Decodes a name of a path.
fn decoded(name: &str) -> Result<String, NoOperation> {
    decode(name, false).ok_or(NoOperation::Encoding)
}

/// Reads the parameters of a query, in their order; none when one of them is no text.
pub(super) fn parameters(query: &str) -> Option<Vec<(String, String)>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(name, true)?, decode(value, true)?))
    };
    pairs.map(read).collect()
}

/// Decodes percent signs, and in a `form` pluses too; none when what comes of it is no UTF-8.
fn decode(text: &str, form: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let code = pair.filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (byte, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (b'%', Some(code)) => {
                decoded.push(code);
                at += 2;
            }
            (b'+', _) if form => decoded.push(b' '),
            (byte, _) => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &str, path: &str) -> Result<Operation, NoOperation> {
        Operation::find(&method.parse().unwrap(), &format!("/v0/operations/{path}"))
    }

    #[test]
    fn every_endpoint_of_the_contract_is_known_with_its_method() {
        let cluster = |max_body| Ok(Operation::Cluster { max_body });
        let cases = [
            ("GET", "providers/status", Ok(Operation::Providers)),
            ("HEAD", "cooldown/status", Ok(Operation::Cooldowns)),
            ("GET", "load_balancing/status", Ok(Operation::LoadBalancing)),
            ("GET", "explain", Ok(Operation::Explain)),
            ("GET", "failover", Ok(Operation::Failover)),
            ("GET", "requests/req-1", Ok(Operation::Request("req-1".to_owned()))),
            (
                "POST",
                "providers/my%20vllm/cooldown",
                Ok(Operation::Change(Verb::Cooldown, "my vllm".to_owned())),
            ),
            ("POST", "providers/claude/recover", Ok(Operation::Change(Verb::Recover, "claude".to_owned()))),
            ("GET", "quotas", Ok(Operation::Quotas)),
            ("GET", "usage", cluster(MAX_BODY)),
            ("GET", "nodes", cluster(MAX_BODY)),
            ("GET", "alerts", cluster(MAX_BODY)),
            ("GET", "audit", cluster(MAX_BODY)),
            ("GET", "prices", cluster(MAX_BODY)),
            ("POST", "quotas/release", cluster(MAX_BODY)),
            ("GET", "clients", cluster(MAX_BODY)),
            ("GET", "clients/ci/keys", cluster(MAX_BODY)),
            ("POST", "clients/ci/keys", Ok(Operation::KeyChange(KeyVerb::Create))),
            ("POST", "clients/ci/keys/0123456789ab/rotate", Ok(Operation::KeyChange(KeyVerb::Rotate))),
            ("POST", "clients/ci/keys/0123456789ab/revoke", Ok(Operation::KeyChange(KeyVerb::Revoke))),
            ("GET", "config", cluster(MAX_CONFIG)),
            ("PUT", "config", cluster(MAX_CONFIG)),
            ("POST", "config/check", cluster(MAX_CONFIG)),
            ("GET", "config/history", cluster(MAX_BODY)),
            ("POST", "config/rollback", cluster(MAX_CONFIG)),
        ];
        for (method, path, expected) in cases {
            assert_eq!(find(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn other_methods_are_refused_with_those_that_are_taken() {
        assert_eq!(find("POST", "providers/status"), Err(NoOperation::Method("GET, HEAD")));
        assert_eq!(find("GET", "providers/claude/cooldown"), Err(NoOperation::Method("POST")));
        assert_eq!(find("DELETE", "clients/ci/keys"), Err(NoOperation::Method("GET, HEAD, POST")));
        assert_eq!(find("GET", "clients/ci/keys/0123456789ab/revoke"), Err(NoOperation::Method("POST")));
        assert_eq!(find("DELETE", "config"), Err(NoOperation::Method("GET, HEAD, PUT")));
    }

    #[test]
    fn other_paths_are_not_handed_on() {
        for path in [
            "",
            "providers",
            "providers//cooldown",
            "requests/",
            "requests/a/b",
            "config/../nodes",
            "clients/ci",
            "clients//keys",
            "clients/ci/keys/",
            "clients/ci/keys//revoke",
            "clients/ci/keys/0123456789ab",
        ] {
            assert_eq!(find("GET", path), Err(NoOperation::NotFound), "{path}");
        }
        assert_eq!(find("POST", "providers/%ff/cooldown"), Err(NoOperation::Encoding));
    }

    #[test]
    fn parameters_are_decoded_in_their_order() {
        let read = parameters("model=my%2Dmodel+1&&stream&api=a%3Db").unwrap();
        let shown: Vec<_> = read.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        assert_eq!(shown, ["model:my-model 1", "stream:", "api:a=b"]);
        assert_eq!(parameters("a=%"), Some(vec![("a".to_owned(), "%".to_owned())]));
        assert_eq!(parameters("a=%c3"), None);
    }
}
