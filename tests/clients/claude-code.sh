#!/bin/sh
# Gives Claude Code one task in the current folder, without a terminal and without asking for permissions.
#
# Environment: GATEWAY, root URL of what it talks to; GATEWAY_KEY; MODEL; AGENTS, the folder with node_modules.
# Argument: the task. Writes its one JSON result to the standard output.
set -eu

export HOME="$PWD/home"
mkdir -p "$HOME"
export ANTHROPIC_BASE_URL="$GATEWAY" ANTHROPIC_API_KEY="$GATEWAY_KEY"
# It asks nobody but the gateway, and runs tools as root in the folder that a test made for it.
export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1 DISABLE_TELEMETRY=1
export DISABLE_ERROR_REPORTING=1 IS_SANDBOX=1
# An error is to be seen at once.
export CLAUDE_CODE_MAX_RETRIES=0

exec "$AGENTS/node_modules/.bin/claude" -p "$1" --model "$MODEL" \
    --dangerously-skip-permissions --output-format json
