"""Uses a gateway (or a mock provider) through the vendors' own SDKs.

Environment:
  GATEWAY          root URL of what is tested, as http://127.0.0.1:8317
  MOCK_URL         root URL of the mock provider behind it, whose behaviour the error cases change
  OPENAI_MODEL, ANTHROPIC_MODEL, GEMINI_MODEL   the models to ask for
  EMBED_MODEL, GEMINI_EMBED_MODEL               the same for embeddings
                   (default: text-embedding-3-small, gemini-embedding-001)
  GATEWAY_KEY      the API key to send (default: test-key)
  RECOVER_URLS     URLs, separated by commas, to POST to whenever the behaviour changes, so that a
                   gateway forgets what an error case taught it about its providers

Arguments: parts of the names of the cases to run; without any, all run.

Each case prints one line; the exit code is the number of failed cases, at most 100.
"""

import base64
import json
import os
import struct
import sys
import traceback
import urllib.request

import anthropic
import openai
from google import genai
from google.genai import errors as gemini_errors
from google.genai import types

GATEWAY = os.environ["GATEWAY"].rstrip("/")
MOCK_URL = os.environ["MOCK_URL"].rstrip("/")
OPENAI_MODEL = os.environ["OPENAI_MODEL"]
ANTHROPIC_MODEL = os.environ["ANTHROPIC_MODEL"]
GEMINI_MODEL = os.environ["GEMINI_MODEL"]
EMBED_MODEL = os.environ.get("EMBED_MODEL", "text-embedding-3-small")
GEMINI_EMBED_MODEL = os.environ.get("GEMINI_EMBED_MODEL", "gemini-embedding-001")
KEY = os.environ.get("GATEWAY_KEY", "test-key")
RECOVER_URLS = [url for url in os.environ.get("RECOVER_URLS", "").split(",") if url]

OPENAI = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY, max_retries=0, timeout=20)
ANTHROPIC = anthropic.Anthropic(base_url=GATEWAY, api_key=KEY, max_retries=0, timeout=20)
GEMINI = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=GATEWAY, timeout=20_000))

TEXT = "The quick brown fox says \"hello\" to the lazy dog."
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
ARGUMENTS = {"city": "mock", "unit": "celsius"}
ASK = "What is the weather? Please use the tool."
CASES = []


def case(function):
    """Adds a function to the cases; its name is the case's."""
    CASES.append(function)
    return function


def check(condition, *shown):
    """Fails the case unless the condition holds."""
    if not condition:
        raise AssertionError(" ".join(repr(value) for value in shown))


def send(method, url, body):
    """Sends JSON; raises when the answer is an error."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        response.read()


def behave(do="answer"):
    """Has the mock do this to every request from now on."""
    send("PUT", f"{MOCK_URL}/__mock/behaviour/rules", [{"do": do, "reply": {"text": TEXT}}])
    for url in RECOVER_URLS:
        send("POST", url, {})


def raises(kind, call):
    """Runs the call and gives the error of that type that it raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


# --- OpenAI Chat Completions


def chat(**more):
    """Asks for a chat completion."""
    messages = more.pop("messages", [{"role": "user", "content": "Hello"}])
    return OPENAI.chat.completions.create(model=OPENAI_MODEL, messages=messages, **more)


CHAT_TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]


@case
def chat_answers():
    answer = chat()
    check(answer.choices[0].message.content == TEXT, answer)
    check(answer.choices[0].finish_reason == "stop", answer)
    check(answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens == 10, answer.usage)


@case
def chat_streams():
    stream = chat(stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    check(text == TEXT, text)
    check(chunks[-1].usage.completion_tokens == 10, chunks[-1])
    check(all(chunk.usage is None for chunk in chunks[:-1]), chunks)


@case
def chat_stream_accumulates():
    messages = [{"role": "user", "content": "Hello"}]
    with OPENAI.chat.completions.stream(model=OPENAI_MODEL, messages=messages) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    check(final.choices[0].message.content == TEXT, final)
    check(final.choices[0].message.role == "assistant", final)


@case
def chat_calls_a_tool_and_takes_its_result():
    messages = [{"role": "user", "content": ASK}]
    call = chat(messages=messages, tools=CHAT_TOOLS).choices[0]
    check(call.finish_reason == "tool_calls", call)
    function = call.message.tool_calls[0].function
    check(function.name == "get_weather" and json.loads(function.arguments) == ARGUMENTS, function)
    messages.append(call.message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": call.message.tool_calls[0].id, "content": "12"})
    answer = chat(messages=messages, tools=CHAT_TOOLS).choices[0]
    check(answer.finish_reason == "stop" and answer.message.content == TEXT, answer)


@case
def chat_streams_a_forced_tool_call():
    with OPENAI.chat.completions.stream(
        model=OPENAI_MODEL,
        messages=[{"role": "user", "content": "Hello"}],
        tools=CHAT_TOOLS,
        tool_choice="required",
    ) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    check(len(message.tool_calls) == 1, message)
    function = message.tool_calls[0].function
    check(function.name == "get_weather" and json.loads(function.arguments) == ARGUMENTS, function)


# --- OpenAI Responses


RESPONSE_TOOLS = [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}]


@case
def responses_answer():
    answer = OPENAI.responses.create(model=OPENAI_MODEL, input="Hello")
    check(answer.output_text == TEXT and answer.status == "completed", answer)
    check(answer.usage.output_tokens == 10, answer.usage)


@case
def responses_stream_accumulates():
    with OPENAI.responses.stream(model=OPENAI_MODEL, input="Hello") as stream:
        events = list(stream)
        final = stream.get_final_response()
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    check(text == TEXT and final.output_text == TEXT, text, final)
    numbers = [event.sequence_number for event in events if hasattr(event, "sequence_number")]
    check(numbers == sorted(numbers) and numbers[0] == 0, numbers)


@case
def responses_stream_a_tool_call_and_take_its_result():
    items = [{"role": "user", "content": ASK}]
    with OPENAI.responses.stream(model=OPENAI_MODEL, input=items, tools=RESPONSE_TOOLS) as stream:
        for _ in stream:
            pass
        call = stream.get_final_response().output[0]
    check(call.type == "function_call" and json.loads(call.arguments) == ARGUMENTS, call)
    items.append({"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments})
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "12"})
    answer = OPENAI.responses.create(model=OPENAI_MODEL, input=items, tools=RESPONSE_TOOLS)
    check(answer.output_text == TEXT, answer)


# --- OpenAI embeddings, models, errors


@case
def embeddings_come_in_both_encodings():
    floats = OPENAI.embeddings.create(model=EMBED_MODEL, input=["alpha", "beta"], encoding_format="float")
    # The SDK asks for base64 when its caller names no format.
    packed = OPENAI.embeddings.create(model=EMBED_MODEL, input=["alpha", "beta"])
    check([one.embedding for one in floats.data] == [one.embedding for one in packed.data], floats, packed)
    raw = OPENAI.embeddings.create(model=EMBED_MODEL, input="alpha", encoding_format="base64")
    data = base64.b64decode(raw.data[0].embedding)
    check(list(struct.unpack(f"<{len(data) // 4}f", data)) == floats.data[0].embedding, raw)
    check(floats.usage.prompt_tokens > 0, floats.usage)


@case
def openai_models_are_listed():
    names = [model.id for model in OPENAI.models.list()]
    check(len(names) > 0, names)


@case
def openai_errors_are_typed():
    for kind, expected in [
        ("rate_limit", openai.RateLimitError),
        ("quota", openai.RateLimitError),
        ("auth", openai.AuthenticationError),
        ("bad_request", openai.BadRequestError),
        ("not_found", openai.NotFoundError),
        ("server_error", openai.InternalServerError),
        ("overloaded", openai.InternalServerError),
    ]:
        behave({"error": {"kind": kind}})
        error = raises(expected, chat)
        check(error.response.status_code >= 400 and error.type is not None, kind, error)
        behave({"error": {"kind": kind}})
        raises(expected, lambda: list(chat(stream=True)))


@case
def openai_rate_limit_passes_its_hint_on():
    behave({"error": {"kind": "rate_limit", "hint": {"retry_after_s": 7}}})
    error = raises(openai.RateLimitError, chat)
    check(error.response.headers.get("retry-after") is not None, dict(error.response.headers))


@case
def chat_tells_an_error_in_the_stream():
    behave({"stream_error": {"after_events": 3, "kind": "overloaded"}})
    seen = []
    raises(openai.APIError, lambda: seen.extend(chat(stream=True)))


@case
def responses_tell_a_failure_in_the_stream():
    behave({"stream_error": {"after_events": 6, "kind": "overloaded"}})
    events = list(OPENAI.responses.create(model=OPENAI_MODEL, input="Hello", stream=True))
    check(events[-1].type in ("response.failed", "error"), events[-1])


# --- Anthropic


MESSAGE_TOOLS = [{"name": "get_weather", "input_schema": SCHEMA}]


def message(**more):
    """Asks for a message."""
    messages = more.pop("messages", [{"role": "user", "content": "Hello"}])
    return ANTHROPIC.messages.create(model=ANTHROPIC_MODEL, max_tokens=256, messages=messages, **more)


@case
def messages_answer():
    answer = message()
    check(answer.content[0].text == TEXT and answer.stop_reason == "end_turn", answer)
    check(answer.usage.output_tokens == 10 and answer.usage.input_tokens > 0, answer.usage)


@case
def messages_stream_accumulates():
    messages = [{"role": "user", "content": "Hello"}]
    with ANTHROPIC.messages.stream(model=ANTHROPIC_MODEL, max_tokens=256, messages=messages) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    check(text == TEXT and final.content[0].text == TEXT, text, final)
    check(final.stop_reason == "end_turn" and final.usage.output_tokens == 10, final)


@case
def messages_call_a_tool_and_take_its_result():
    messages = [{"role": "user", "content": ASK}]
    call = message(messages=messages, tools=MESSAGE_TOOLS)
    check(call.stop_reason == "tool_use" and call.content[0].input == ARGUMENTS, call)
    messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in call.content]})
    result = {"type": "tool_result", "tool_use_id": call.content[0].id, "content": "12"}
    messages.append({"role": "user", "content": [result]})
    answer = message(messages=messages, tools=MESSAGE_TOOLS)
    check(answer.content[0].text == TEXT, answer)


@case
def messages_stream_a_forced_tool_call():
    with ANTHROPIC.messages.stream(
        model=ANTHROPIC_MODEL,
        max_tokens=256,
        messages=[{"role": "user", "content": "Hello"}],
        tools=MESSAGE_TOOLS,
        tool_choice={"type": "any"},
    ) as stream:
        for _ in stream:
            pass
        final = stream.get_final_message()
    check(final.content[0].input == ARGUMENTS and final.stop_reason == "tool_use", final)


@case
def message_tokens_are_counted():
    count = ANTHROPIC.messages.count_tokens(
        model=ANTHROPIC_MODEL, messages=[{"role": "user", "content": "Hello"}]
    )
    check(count.input_tokens > 0, count)


@case
def anthropic_models_are_listed():
    names = [model.id for model in ANTHROPIC.models.list()]
    check(len(names) > 0, names)


@case
def anthropic_errors_are_typed():
    for kind, expected in [
        ("rate_limit", anthropic.RateLimitError),
        ("auth", anthropic.AuthenticationError),
        ("bad_request", anthropic.BadRequestError),
        ("not_found", anthropic.NotFoundError),
        ("server_error", anthropic.InternalServerError),
        ("overloaded", anthropic.InternalServerError),
    ]:
        behave({"error": {"kind": kind}})
        error = raises(expected, message)
        check(error.body["type"] == "error", kind, error.body)
        behave({"error": {"kind": kind}})
        raises(expected, lambda: list(message(stream=True)))


@case
def messages_tell_an_error_in_the_stream():
    behave({"stream_error": {"after_events": 5, "kind": "overloaded"}})
    seen = []
    raises(anthropic.APIStatusError, lambda: seen.extend(message(stream=True)))


# --- Gemini


GEMINI_TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name="get_weather", parameters_json_schema=SCHEMA),
        ]
    )
]
NO_AUTOMATION = types.AutomaticFunctionCallingConfig(disable=True)


def generate(contents="Hello", **config):
    """Asks for content."""
    config = types.GenerateContentConfig(automatic_function_calling=NO_AUTOMATION, **config)
    return GEMINI.models.generate_content(model=GEMINI_MODEL, contents=contents, config=config)


def generate_stream(contents="Hello", **config):
    """Asks for streamed content."""
    config = types.GenerateContentConfig(automatic_function_calling=NO_AUTOMATION, **config)
    return GEMINI.models.generate_content_stream(model=GEMINI_MODEL, contents=contents, config=config)


@case
def gemini_answers():
    answer = generate()
    check(answer.text == TEXT, answer)
    check(answer.usage_metadata.candidates_token_count == 10, answer.usage_metadata)


@case
def gemini_streams():
    chunks = list(generate_stream())
    check("".join(chunk.text or "" for chunk in chunks) == TEXT, chunks)
    check(chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP, chunks[-1])
    check(chunks[-1].usage_metadata.candidates_token_count == 10, chunks[-1])


@case
def gemini_calls_a_tool_and_takes_its_result():
    answer = generate(ASK, tools=GEMINI_TOOLS)
    call = answer.function_calls[0]
    check(call.name == "get_weather" and call.args == ARGUMENTS, call)
    contents = [
        types.UserContent(ASK),
        answer.candidates[0].content,
        types.UserContent([types.Part.from_function_response(name=call.name, response={"output": "12"})]),
    ]
    check(generate(contents, tools=GEMINI_TOOLS).text == TEXT, "no text after the result")


@case
def gemini_streams_a_forced_tool_call():
    forced = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
    chunks = list(generate_stream(tools=GEMINI_TOOLS, tool_config=forced))
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    check(len(calls) == 1 and calls[0].args == ARGUMENTS, calls)


@case
def gemini_counts_tokens_and_embeds():
    count = GEMINI.models.count_tokens(model=GEMINI_MODEL, contents="Hello")
    check(count.total_tokens > 0, count)
    answer = GEMINI.models.embed_content(model=GEMINI_EMBED_MODEL, contents=["alpha", "beta"])
    check(len(answer.embeddings) == 2 and len(answer.embeddings[0].values) > 0, answer)


@case
def gemini_models_are_listed():
    names = [model.name for model in GEMINI.models.list()]
    check(len(names) > 0 and all(name.startswith("models/") for name in names), names)


@case
def gemini_errors_are_typed():
    for kind, expected, statuses in [
        ("rate_limit", gemini_errors.ClientError, ["RESOURCE_EXHAUSTED"]),
        ("bad_request", gemini_errors.ClientError, ["INVALID_ARGUMENT"]),
        ("not_found", gemini_errors.ClientError, ["NOT_FOUND"]),
        ("server_error", gemini_errors.ServerError, ["INTERNAL"]),
        ("overloaded", gemini_errors.ServerError, ["UNAVAILABLE"]),
    ]:
        behave({"error": {"kind": kind}})
        error = raises(expected, generate)
        check(error.status in statuses, kind, error.status, error.code)
        behave({"error": {"kind": kind}})
        raises(expected, lambda: list(generate_stream()))


@case
def gemini_tells_an_error_in_the_stream():
    behave({"stream_error": {"after_events": 3, "kind": "overloaded"}})
    seen = []
    raises(gemini_errors.APIError, lambda: seen.extend(generate_stream()))


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
    print(f"{failed} failed" if failed else "all passed")
    return min(failed, 100)


if __name__ == "__main__":
    sys.exit(main())
