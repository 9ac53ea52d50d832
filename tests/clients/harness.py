"""What the cases of every SDK stand on: how they are told apart and run, and how the mock provider is steered.

Environment:
  GATEWAY         root URL of what is tested, as http://127.0.0.1:8317
  GATEWAY_KEY     the API key to send (default: test-key)
  MOCK_URL        root URL of the mock provider behind it, whose behaviour the cases change
  KIND            kind of the provider behind the gateway: openai, anthropic, gemini or openai_compatible
  MODEL           the model to ask for
  THINKING_MODEL  one whose provider has a single key, which encrypted thoughts are bound to
  EMBED_MODEL     the model to ask for embeddings, where the kind has them

Each script of an SDK prints a line for each case; its exit code is the number of failed cases, at most 100. Arguments
are parts of the names of the cases to run; without any, all run.
"""

import json
import os
import sys
import traceback
import urllib.request

GATEWAY = os.environ["GATEWAY"].rstrip("/")
MOCK_URL = os.environ["MOCK_URL"].rstrip("/")
KIND = os.environ["KIND"]
MODEL = os.environ["MODEL"]
THINKING_MODEL = os.environ["THINKING_MODEL"]
EMBED_MODEL = os.environ.get("EMBED_MODEL", "")
KEY = os.environ.get("GATEWAY_KEY", "test-key")

TEXT = 'The quick brown fox says "hello" to the lazy dog.'
WORDS = 10
THOUGHT = "First I look it up."
PREAMBLE = "Let me look."
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
OSLO = {"city": "Oslo", "unit": "celsius"}
BERGEN = {"city": "Bergen", "unit": "kelvin"}
# A PNG of one pixel.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ASK = "What is the weather?"
WARNINGS = "x-cliproxy-warnings"

CASES = []


def case(function=None, *, kinds=None):
    """Adds a function to the cases; its name is the case's. With kinds, it runs for these providers alone."""

    def add(function):
        if kinds is None or KIND in kinds:
            CASES.append(function)
        return function

    return add(function) if function else add


def check(condition, *shown):
    """Fails the case unless the condition holds."""
    if not condition:
        raise AssertionError(" ".join(repr(value) for value in shown))


def raises(kind, call):
    """Runs the call and gives the error of that type that it raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def send(method, url, body=None):
    """Sends JSON and gives the JSON that comes back, if any; raises when the answer is an error."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        text = response.read()
    return json.loads(text) if text else None


def behave(do="answer", **reply):
    """Has the mock do this to every request from now on, and forget what it was asked before."""
    reply.setdefault("text", TEXT)
    send("PUT", f"{MOCK_URL}/__mock/behaviour/rules", [{"do": do, "reply": reply}])
    send("DELETE", f"{MOCK_URL}/__mock/log")


def calls(*arguments):
    """Gives the script of calls of get_weather with these arguments."""
    return [{"name": "get_weather", "arguments": one} for one in arguments]


def main():
    """Runs the cases whose names contain an argument, or all."""
    wanted = sys.argv[1:]
    failed = 0
    for function in CASES:
        name = function.__name__
        if wanted and not any(part in name for part in wanted):
            continue
        behave()
        try:
            function()
            print(f"ok      {name}", flush=True)
        except Exception:  # one case must not keep the others from running
            failed += 1
            print(f"FAILED  {name}", flush=True)
            traceback.print_exc()
    behave()
    print(f"{failed} failed" if failed else f"all {len(CASES)} passed")
    return min(failed, 100)
