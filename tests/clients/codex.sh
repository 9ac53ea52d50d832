#!/bin/sh
# Gives Codex one task in the current folder, without a terminal, a sandbox, or asking for permissions.
#
# Environment: GATEWAY, root URL of what it talks to; GATEWAY_KEY; MODEL; AGENTS, the folder with node_modules.
# Argument: the task. Writes the model's last words to the standard output.
set -eu

export HOME="$PWD/home" CODEX_HOME="$PWD/home/.codex"
mkdir -p "$CODEX_HOME"
cat > "$CODEX_HOME/config.toml" <<CONFIG
model = "$MODEL"
model_provider = "gateway"

[model_providers.gateway]
name = "gateway"
base_url = "$GATEWAY/v1"
env_key = "GATEWAY_KEY"
wire_api = "responses"
# An error is to be seen at once.
request_max_retries = 0
stream_max_retries = 0
CONFIG

exec "$AGENTS/node_modules/.bin/codex" exec --skip-git-repo-check \
    --dangerously-bypass-approvals-and-sandbox "$1"
