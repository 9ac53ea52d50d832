"""The anthropic SDK on Messages; see harness.py for how it is run."""

import sys

import anthropic
from pydantic import BaseModel

import upstream
from harness import (
    ASK, BERGEN, GATEWAY, KEY, KIND, MODEL, OSLO, PIXEL, PREAMBLE, SCHEMA, TEXT, THINKING_MODEL, THOUGHT, WARNINGS, WORDS, behave,
    calls, case, check, main, raises,
)

CLIENT = anthropic.Anthropic(base_url=GATEWAY, api_key=KEY, max_retries=0, timeout=20)
TOOLS = [{"name": "get_weather", "description": "Weather.", "input_schema": SCHEMA}]
FOREIGN = ["openai", "gemini", "openai_compatible"]
USER = [{"role": "user", "content": ASK}]
THINKING = {"type": "enabled", "budget_tokens": 2048, "display": "summarized"}


class Weather(BaseModel):
    """What a structured answer holds."""

    city: str
    degrees: int


def create(**more):
    """Asks for a message."""
    more = {"model": MODEL, "max_tokens": 4096, "messages": USER, **more}
    return CLIENT.messages.create(**more)


def accumulate(**more):
    """Streams an answer through the SDK's own accumulator and gives its events and the whole."""
    more = {"model": MODEL, "max_tokens": 4096, "messages": USER, **more}
    with CLIENT.messages.stream(**more) as stream:
        events = list(stream)
        return events, stream.get_final_message()


def blocks(message, kind):
    """Gives the blocks of that type."""
    return [block for block in message.content if block.type == kind]


@case
def answers_with_text():
    answer = create()
    check([block.type for block in answer.content] == ["text"] and answer.content[0].text == TEXT, answer)
    check(answer.stop_reason == "end_turn" and answer.type == "message" and answer.role == "assistant", answer)
    check(answer.id.startswith("msg_") and answer.model == MODEL, answer)
    check(answer.usage.input_tokens > 0 and answer.usage.output_tokens >= WORDS, answer.usage)


@case
def streams_text_in_the_order_of_the_grammar():
    events, final = accumulate()
    text = "".join(event.text for event in events if event.type == "text")
    check(text == TEXT and final.content[0].text == TEXT and len(final.content) == 1, text, final)
    raw = [event.type for event in create(stream=True) if event.type != "ping"]
    check(raw[:2] == ["message_start", "content_block_start"], raw)
    check(raw[-3:] == ["content_block_stop", "message_delta", "message_stop"], raw)
    check(final.stop_reason == "end_turn" and final.usage.output_tokens >= WORDS, final)
    check(final.usage.input_tokens > 0 and final.model == MODEL, final)


@case
def parameters_and_instructions_arrive():
    turns = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello to you."},
        {"role": "user", "content": [{"type": "text", "text": ASK, "cache_control": {"type": "ephemeral"}}]},
    ]
    system = [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]
    create(messages=turns, system=system, max_tokens=77, tools=TOOLS)
    request = upstream.last()
    check("Be brief." in request.system() and "Be kind." in request.system(), request.body)
    said = [text for text in request.texts() if text not in ("Be brief.", "Be kind.")]
    check(said == ["Hello", "Hello to you.", ASK] and request.limit() == 77, request.body)
    check(request.tools()["get_weather"]["required"] == ["city", "unit"], request.body)


@case
def stops_where_it_is_told():
    # After the first word; where the provider knows no stop texts, the gateway ends the answer there.
    create(stop_sequences=["quick"])
    request = upstream.last()
    if request.api == "responses":
        answer = create(stop_sequences=[" quick"])
        check(answer.content[0].text == "The" and answer.stop_reason == "stop_sequence", answer)
        _, final = accumulate(stop_sequences=[" quick"])
        check(final.content[0].text == "The" and final.stop_sequence == " quick", final)
    else:
        check(request.stops() == ["quick"], request.body)


@case(kinds=FOREIGN)
def tells_what_is_lost():
    answer = CLIENT.messages.with_raw_response.create(
        model=MODEL, max_tokens=99, messages=USER, inference_geo="eu"
    )
    check("inference_geo=dropped" in answer.headers.get(WARNINGS, ""), dict(answer.headers))


@case
def calls_a_tool():
    behave(calls=calls(OSLO))
    for answer in (create(tools=TOOLS), accumulate(tools=TOOLS)[1]):
        check(answer.stop_reason == "tool_use" and len(blocks(answer, "tool_use")) == 1, answer)
        call = answer.content[-1]
        check(call.type == "tool_use" and call.name == "get_weather" and call.input == OSLO and call.id, call)


@case
def forces_a_tool():
    for choice in ({"type": "any"}, {"type": "tool", "name": "get_weather"}):
        answer = create(tools=TOOLS, tool_choice=choice)
        check(answer.stop_reason == "tool_use" and answer.content[-1].name == "get_weather", answer)
    silent = create(
        messages=[{"role": "user", "content": "Use the tool."}], tools=TOOLS, tool_choice={"type": "none"}
    )
    check(silent.content[0].text == TEXT, silent)


@case
def calls_tools_in_parallel_and_takes_their_results():
    behave(calls=calls(OSLO, BERGEN), preamble=PREAMBLE)
    for answer in (create(tools=TOOLS), accumulate(tools=TOOLS)[1]):
        check(blocks(answer, "text")[0].text == PREAMBLE, answer)
        found = blocks(answer, "tool_use")
        check([call.input for call in found] == [OSLO, BERGEN] and found[0].id != found[1].id, answer)
        results = [
            {"type": "tool_result", "tool_use_id": found[0].id, "content": "9 in Oslo"},
            {
                "type": "tool_result",
                "tool_use_id": found[1].id,
                "content": [{"type": "text", "text": "12 in Bergen"}],
            },
        ]
        turns = [*USER, {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
        check(create(messages=turns, tools=TOOLS).content[0].text == TEXT, "no text after the results")
        request = upstream.last()
        check(request.calls() == [OSLO, BERGEN], request.body)
        check(request.results() == ["9 in Oslo", "12 in Bergen"], request.body)


@case
def shows_an_image():
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    check(create(messages=[{"role": "user", "content": content}]).content[0].text == TEXT, "no text")
    request = upstream.last()
    check(request.images() == [("image/png", PIXEL)] and "What is it?" in request.texts(), request.body)


@case
def thinks_and_keeps_its_signature_over_a_tool_call():
    behave(thinking=THOUGHT, calls=calls(OSLO))
    options = {"model": THINKING_MODEL, "tools": TOOLS, "thinking": THINKING}
    for answer in (create(**options), accumulate(**options)[1]):
        check(upstream.last().thinks(), upstream.last().body)
        thoughts = blocks(answer, "thinking")
        check("".join(block.thinking for block in thoughts) == THOUGHT, answer)
        call = blocks(answer, "tool_use")[0]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "9"}
        turns = [*USER, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
        final = create(messages=turns, **options)
        check(blocks(final, "text")[0].text == TEXT, final)
        request = upstream.last()
        if request.api != "chat":
            check(len(request.signatures()) == 1, request.body)
            check("skip_thought_signature_validator" not in request.signatures(), request.body)


@case
def counts_cached_and_reasoning_tokens():
    details = {"cached_tokens": 40, "cache_write_tokens": 0, "reasoning_tokens": 3}
    behave(usage={"input_tokens": 60, "output_tokens": 9}, usage_details=details)
    for usage in (create().usage, accumulate()[1].usage):
        # What came from the cache counts apart.
        check((usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (20, 40, 9), usage)


@case
def parses_a_structured_answer():
    behave(text=None)
    more = {"model": MODEL, "max_tokens": 4096, "messages": USER, "output_format": Weather}
    answer = CLIENT.messages.parse(**more)
    check(answer.parsed_output == Weather(city="mock", degrees=1), answer)
    with CLIENT.messages.stream(**more) as stream:
        final = stream.get_final_message()
    check(final.parsed_output == Weather(city="mock", degrees=1), final)


@case
def tells_a_refusal_and_the_limit():
    behave(refusal="I will not.")
    for answer in (create(), accumulate()[1]):
        if KIND in ("anthropic", "gemini"):
            check(answer.stop_reason == "refusal", answer)
        else:
            # OpenAI's refusals end as any answer does.
            check(answer.content[0].text == "I will not." and answer.stop_reason == "end_turn", answer)
    behave(finish="length")
    for answer in (create(), accumulate()[1]):
        check(answer.stop_reason == "max_tokens", answer)


@case
def errors_are_typed():
    for kind, expected in [
        ("rate_limit", anthropic.RateLimitError),
        ("auth", anthropic.AuthenticationError),
        ("bad_request", anthropic.BadRequestError),
        ("not_found", anthropic.NotFoundError),
        ("server_error", anthropic.InternalServerError),
        ("overloaded", anthropic.InternalServerError),
    ]:
        for ask in (create, lambda: list(create(stream=True))):
            behave({"error": {"kind": kind, "hint": {"retry_after_s": 7} if kind == "rate_limit" else {}}})
            error = raises(expected, ask)
            check(error.body["type"] == "error" and error.body["error"]["message"], kind, error.body)
            check(error.request_id, kind, dict(error.response.headers))
            if kind == "rate_limit":
                check(1 <= int(error.response.headers["retry-after"]) <= 7, dict(error.response.headers))
            if kind == "overloaded":
                check(error.status_code == 529, error.status_code)


@case
def an_error_in_the_stream_is_raised_after_what_was_said():
    behave({"stream_error": {"after_events": 8, "kind": "overloaded"}})
    seen = []
    error = raises(anthropic.APIStatusError, lambda: seen.extend(create(stream=True)))
    check(error.body["error"]["type"] == "overloaded_error", error.body)
    text = "".join(event.delta.text for event in seen if event.type == "content_block_delta")
    check(text and TEXT.startswith(text), text)
    check(seen[-1].type not in ("message_delta", "message_stop"), seen[-1])


@case(kinds=FOREIGN)
def a_stream_that_breaks_off_is_no_success():
    behave({"truncate": {"after_events": 6}})
    raises(anthropic.APIStatusError, lambda: list(create(stream=True)))


@case(kinds=["openai", "anthropic", "gemini"])
def counts_tokens():
    count = CLIENT.messages.count_tokens(model=MODEL, messages=USER, system="Be brief.", tools=TOOLS)
    check(count.input_tokens > 0, count)


@case
def lists_the_model():
    found = [model for model in CLIENT.models.list() if model.id == MODEL]
    check(len(found) == 1 and found[0].type == "model", found)


if __name__ == "__main__":
    sys.exit(main())
