//! What the demonstration tells a person to try.

use crate::command::serve::Running;
use std::path::Path;

/// Gives the text that is printed once everything runs.
pub fn text(folder: &Path, running: &Running) -> String {
    let (gateway, operators) = (running.clients, running.control.operators);
    format!(
        r#"
cliproxy is running with three simulated providers: north, south and west.
Each API has a provider and a backup; one provider goes down now and then. Try:

  # OpenAI Chat Completions, streamed
  curl -N http://{gateway}/v1/chat/completions -H 'content-type: application/json' \
    -d '{{"model":"smart","stream":true,"messages":[{{"role":"user","content":"Hello"}}]}}'

  # Anthropic Messages
  curl http://{gateway}/v1/messages -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' \
    -d '{{"model":"smart","max_tokens":100,"messages":[{{"role":"user","content":"Hello"}}]}}'

  # Gemini
  curl http://{gateway}/v1beta/models/smart:generateContent -H 'content-type: application/json' \
    -d '{{"contents":[{{"role":"user","parts":[{{"text":"Hello"}}]}}]}}'

  # Which provider would answer now, and why
  curl 'http://{gateway}/v0/operations/explain?model=smart'

  # How the providers are doing, what rests, and what was decided on it
  curl http://{gateway}/v0/operations/providers/status
  curl http://{gateway}/v0/operations/cooldown/status
  curl http://{gateway}/v0/operations/audit
  curl http://{gateway}/metrics
  grpcurl -plaintext {operators} cliproxy.control.v1.Operations/GetProviderStatus

Any API key will do. While it runs:
  configuration, taken over when you change it: {configuration}
  log: {log}
Stop with Ctrl-C.
"#,
        configuration = folder.join("config.yaml").display(),
        log = folder.join("cliproxy.log").display(),
    )
}
