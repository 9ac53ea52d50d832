"""The openai SDK on Chat Completions; see harness.py for how it is run."""

import base64
import json
import struct
import sys

import openai
from pydantic import BaseModel

import upstream
from harness import (
    ASK, BERGEN, EMBED_MODEL, GATEWAY, KEY, KIND, MODEL, OSLO, PIXEL, PREAMBLE, SCHEMA, TEXT, THINKING_MODEL, THOUGHT,
    WARNINGS, WORDS, behave, calls, case, check, main, raises,
)

CLIENT = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY, max_retries=0, timeout=20)
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Weather.", "parameters": SCHEMA}}]
# Kinds whose answers are translated.
FOREIGN = ["anthropic", "gemini"]
USER = [{"role": "user", "content": ASK}]


def sendable(message):
    """Gives an assistant message as it can be sent back: the accumulator's own fields are unknown to every API."""
    fields = message.model_dump(exclude_none=True, exclude={"parsed"})
    for call in fields.get("tool_calls", []):
        call["function"].pop("parsed_arguments", None)
        call.pop("index", None)
    return fields


class Weather(BaseModel):
    """What a structured answer holds."""

    city: str
    degrees: int


def create(**more):
    """Asks for a chat completion."""
    more = {"model": MODEL, "messages": USER, **more}
    return CLIENT.chat.completions.create(**more)


def accumulate(**more):
    """Streams an answer through the SDK's own accumulator and gives its events and the whole."""
    more = {"model": MODEL, "messages": USER, **more}
    with CLIENT.chat.completions.stream(**more) as stream:
        events = list(stream)
        return events, stream.get_final_completion()


@case
def answers_with_text():
    answer = create()
    choice = answer.choices[0]
    check(choice.message.content == TEXT and choice.message.role == "assistant", answer)
    check(choice.finish_reason == "stop" and choice.message.tool_calls is None, answer)
    check(answer.object == "chat.completion" and answer.id.startswith("chatcmpl-"), answer)
    check(answer.model == MODEL, answer.model)
    check(answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens >= WORDS, answer.usage)
    check(answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens, answer.usage)


@case
def streams_text():
    events, final = accumulate(stream_options={"include_usage": True})
    text = "".join(event.delta for event in events if event.type == "content.delta")
    check(text == TEXT and final.choices[0].message.content == TEXT, text, final)
    check(final.choices[0].message.role == "assistant" and final.choices[0].finish_reason == "stop", final)
    check(final.usage.completion_tokens >= WORDS and final.model == MODEL, final)


@case
def streams_usage_last_and_only_when_asked():
    chunks = list(create(stream=True, stream_options={"include_usage": True}))
    check(chunks[-1].choices == [] and chunks[-1].usage is not None, chunks[-1])
    check(all(chunk.usage is None for chunk in chunks[:-1]), chunks)
    check(len({chunk.id for chunk in chunks}) == 1, chunks)
    plain = list(create(stream=True))
    check(all(chunk.choices and chunk.usage is None for chunk in plain), plain)


@case
def parameters_and_instructions_arrive():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Be kind."}, *USER]
    create(messages=messages, max_completion_tokens=77, stop=["END"], tools=TOOLS)
    request = upstream.last()
    check("Be brief." in request.system() and "Be kind." in request.system(), request.body)
    check(request.limit() == 77 and request.texts()[-1] == ASK, request.body)
    check(request.stops() == ["END"], request.body)
    check(request.tools()["get_weather"]["required"] == ["city", "unit"], request.body)


@case(kinds=FOREIGN)
def tells_what_is_lost():
    answer = CLIENT.chat.completions.with_raw_response.create(
        model=MODEL, messages=USER, logit_bias={"50256": -100}, user="me"
    )
    check("logit_bias=dropped" in answer.headers.get(WARNINGS, ""), dict(answer.headers))
    quiet = CLIENT.chat.completions.with_raw_response.create(model=MODEL, messages=USER)
    check(WARNINGS not in quiet.headers, dict(quiet.headers))


@case(kinds=["anthropic"])
def refuses_what_would_change_the_meaning():
    error = raises(openai.BadRequestError, lambda: create(n=2))
    check(error.param == "n" and error.type == "invalid_request_error", error.body)


@case
def calls_a_tool():
    behave(calls=calls(OSLO))
    for choice in (create(tools=TOOLS).choices[0], accumulate(tools=TOOLS)[1].choices[0]):
        check(choice.finish_reason == "tool_calls" and len(choice.message.tool_calls) == 1, choice)
        call = choice.message.tool_calls[0]
        check(call.type == "function" and call.function.name == "get_weather", call)
        check(json.loads(call.function.arguments) == OSLO and call.id, call)


@case
def forces_a_tool():
    named = {"type": "function", "function": {"name": "get_weather"}}
    for choice in ("required", named):
        answer = create(tools=TOOLS, tool_choice=choice)
        check(answer.choices[0].message.tool_calls[0].function.name == "get_weather", answer)
    silent = create(messages=[{"role": "user", "content": "Use the tool."}], tools=TOOLS, tool_choice="none")
    check(silent.choices[0].message.content == TEXT, silent)


@case
def calls_tools_in_parallel_and_takes_their_results():
    behave(calls=calls(OSLO, BERGEN), preamble=PREAMBLE)
    for message in (create(tools=TOOLS).choices[0].message, accumulate(tools=TOOLS)[1].choices[0].message):
        check(message.content == PREAMBLE, message)
        check([json.loads(call.function.arguments) for call in message.tool_calls] == [OSLO, BERGEN], message)
        first, second = (call.id for call in message.tool_calls)
        check(first != second, message)
        # The results come in another order than the calls.
        results = [
            {"role": "tool", "tool_call_id": second, "content": "12 in Bergen"},
            {"role": "tool", "tool_call_id": first, "content": "9 in Oslo"},
        ]
        answer = create(messages=[*USER, sendable(message), *results], tools=TOOLS)
        check(answer.choices[0].message.content == TEXT, answer)
        request = upstream.last()
        check(request.calls() == [OSLO, BERGEN], request.body)
        check(sorted(request.results()) == ["12 in Bergen", "9 in Oslo"], request.body)


@case
def shows_an_image():
    url = f"data:image/png;base64,{PIXEL}"
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = create(messages=[{"role": "user", "content": content}])
    check(answer.choices[0].message.content == TEXT, answer)
    request = upstream.last()
    check(request.images() == [("image/png", PIXEL)] and "What is it?" in request.texts(), request.body)


@case
def thinks_and_keeps_its_signature_over_a_tool_call():
    behave(thinking=THOUGHT, calls=calls(OSLO))
    options = {"model": THINKING_MODEL, "tools": TOOLS, "reasoning_effort": "low"}
    for message in (create(**options).choices[0].message, accumulate(**options)[1].choices[0].message):
        check(upstream.last().thinks(), upstream.last().body)
        # This API has no way to ask for thoughts, and Gemini tells them only when asked.
        if KIND != "gemini":
            check((message.model_extra or {}).get("reasoning_content") == THOUGHT, message)
        assistant = sendable(message)
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "9"}
        answer = create(messages=[*USER, assistant, result], **options)
        check(answer.choices[0].message.content == TEXT, answer)
        request = upstream.last()
        if request.api != "chat":
            check(len(request.signatures()) == 1, request.body)
            check("skip_thought_signature_validator" not in request.signatures(), request.body)


@case
def counts_cached_and_reasoning_tokens():
    details = {"cached_tokens": 40, "cache_write_tokens": 0, "reasoning_tokens": 3}
    behave(usage={"input_tokens": 60, "output_tokens": 9}, usage_details=details)
    for usage in (create().usage, accumulate(stream_options={"include_usage": True})[1].usage):
        check((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (60, 9, 69), usage)
        check(usage.prompt_tokens_details.cached_tokens == 40, usage)
        check(usage.completion_tokens_details.reasoning_tokens == 3, usage)


@case
def parses_a_structured_answer():
    behave(text=None)
    answer = CLIENT.chat.completions.parse(model=MODEL, messages=USER, response_format=Weather)
    check(answer.choices[0].message.parsed == Weather(city="mock", degrees=1), answer)
    _, final = accumulate(response_format=Weather)
    check(final.choices[0].message.parsed == Weather(city="mock", degrees=1), final)


@case
def tells_a_refusal_and_the_limit():
    behave(refusal="I will not.")
    choice, chunks = create().choices[0], list(create(stream=True))
    if KIND in FOREIGN:
        ends = [choice.finish_reason, chunks[-1].choices[0].finish_reason]
        check(ends == ["content_filter", "content_filter"], ends)
    else:
        refusal = "".join(chunk.choices[0].delta.refusal or "" for chunk in chunks)
        check(choice.message.refusal == refusal == "I will not.", choice, chunks)
    behave(finish="length")
    for choice in (create().choices[0], list(create(stream=True))[-1].choices[0]):
        check(choice.finish_reason == "length", choice)


@case
def errors_are_typed():
    for kind, expected in [
        ("rate_limit", openai.RateLimitError),
        ("quota", openai.RateLimitError),
        ("auth", openai.AuthenticationError),
        ("bad_request", openai.BadRequestError),
        ("not_found", openai.NotFoundError),
        ("server_error", openai.InternalServerError),
        ("overloaded", openai.InternalServerError),
    ]:
        for ask in (create, lambda: list(create(stream=True))):
            behave({"error": {"kind": kind}})
            error = raises(expected, ask)
            check(error.type is not None and error.body.get("message"), kind, error.body)
            check(error.request_id, kind, dict(error.response.headers))


@case
def a_rate_limit_passes_its_hint_on():
    behave({"error": {"kind": "rate_limit", "hint": {"retry_after_s": 7}}})
    error = raises(openai.RateLimitError, create)
    check(error.code == "rate_limit_exceeded", error.body)
    check(1 <= int(error.response.headers["retry-after"]) <= 7, dict(error.response.headers))


@case
def an_error_in_the_stream_is_raised_after_what_was_said():
    behave({"stream_error": {"after_events": 6, "kind": "overloaded"}})
    seen = []
    error = raises(openai.APIError, lambda: seen.extend(create(stream=True)))
    check(error.message, error)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in seen if chunk.choices)
    check(text and TEXT.startswith(text), text)
    check(all(not chunk.choices or chunk.choices[0].finish_reason is None for chunk in seen), seen)


@case
def a_stream_that_breaks_off_is_no_success():
    behave({"truncate": {"after_events": 5}})
    if KIND in FOREIGN:
        raises(openai.APIError, lambda: list(create(stream=True)))
    else:
        finishes = []
        try:
            finishes = [chunk.choices[0].finish_reason for chunk in create(stream=True) if chunk.choices]
        except openai.APIError:
            pass
        check(all(reason is None for reason in finishes), finishes)


@case
def lists_the_model():
    names = [model.id for model in CLIENT.models.list()]
    check(MODEL in names, names)


@case(kinds=["openai", "openai_compatible", "gemini"])
def embeds_in_both_encodings():
    floats = CLIENT.embeddings.create(model=EMBED_MODEL, input=["alpha", "beta"], encoding_format="float")
    # The SDK asks for base64 when its caller names no format.
    packed = CLIENT.embeddings.create(model=EMBED_MODEL, input=["alpha", "beta"])
    check([one.embedding for one in floats.data] == [one.embedding for one in packed.data], floats, packed)
    raw = CLIENT.embeddings.create(model=EMBED_MODEL, input="alpha", encoding_format="base64")
    data = base64.b64decode(raw.data[0].embedding)
    check(list(struct.unpack(f"<{len(data) // 4}f", data)) == floats.data[0].embedding, raw)


if __name__ == "__main__":
    sys.exit(main())
