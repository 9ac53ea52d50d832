"""The openai SDK on Responses; see harness.py for how it is run."""

import json
import sys

import openai
from pydantic import BaseModel

import upstream
from harness import (
    ASK, BERGEN, GATEWAY, KEY, KIND, MODEL, OSLO, PIXEL, PREAMBLE, SCHEMA, TEXT, THINKING_MODEL, THOUGHT, WARNINGS, WORDS, behave,
    calls, case, check, main, raises,
)

CLIENT = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY, max_retries=0, timeout=20)
TOOLS = [{"type": "function", "name": "get_weather", "description": "Weather.", "parameters": SCHEMA, "strict": True}]
FOREIGN = ["anthropic", "gemini", "openai_compatible"]
REASONING = {"effort": "low", "summary": "auto"}


class Weather(BaseModel):
    """What a structured answer holds."""

    city: str
    degrees: int


def create(**more):
    """Asks for a response."""
    more = {"model": MODEL, "input": ASK, **more}
    return CLIENT.responses.create(**more)


def accumulate(**more):
    """Streams an answer through the SDK's own accumulator and gives its events and the whole."""
    more = {"model": MODEL, "input": ASK, **more}
    with CLIENT.responses.stream(**more) as stream:
        events = list(stream)
        return events, stream.get_final_response()


@case
def answers_with_text():
    answer = create()
    check(answer.output_text == TEXT and answer.status == "completed" and answer.error is None, answer)
    check(answer.object == "response" and answer.id.startswith("resp_"), answer)
    check(answer.model == MODEL, answer.model)
    message = answer.output[-1]
    check(message.type == "message" and message.role == "assistant" and message.status == "completed", message)
    check(answer.usage.input_tokens > 0 and answer.usage.output_tokens >= WORDS, answer.usage)
    check(answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens, answer.usage)


@case
def streams_text_in_the_order_of_the_grammar():
    events, final = accumulate()
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    check(text == TEXT and final.output_text == TEXT, text, final)
    check([event.type for event in events[:2]] == ["response.created", "response.in_progress"], events[:2])
    check(events[-1].type == "response.completed", events[-1])
    numbers = [event.sequence_number for event in events]
    check(numbers == list(range(len(events))), numbers)
    check({event.response.id for event in events if hasattr(event, "response")} == {final.id}, events)
    check(final.usage.output_tokens >= WORDS and final.model == MODEL, final)


@case
def parameters_and_instructions_arrive():
    items = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello to you."},
        {"role": "user", "content": [{"type": "input_text", "text": ASK}]},
    ]
    answer = create(input=items, instructions="Be brief.", max_output_tokens=77, tools=TOOLS)
    check(answer.max_output_tokens == 77 or KIND == "openai", answer)
    request = upstream.last()
    check("Be brief." in request.system() and "Be kind." in request.system(), request.body)
    said = [text for text in request.texts() if text not in ("Be brief.", "Be kind.")]
    check(said == ["Hello", "Hello to you.", ASK] and request.limit() == 77, request.body)
    check(request.tools()["get_weather"]["required"] == ["city", "unit"], request.body)


@case(kinds=FOREIGN)
def refuses_state_that_only_openai_keeps():
    error = raises(openai.BadRequestError, lambda: create(previous_response_id="resp_1"))
    check(error.param == "previous_response_id", error.body)


@case(kinds=FOREIGN)
def tells_what_is_lost():
    answer = CLIENT.responses.with_raw_response.create(model=MODEL, input=ASK, truncation="auto")
    check("truncation=dropped" in answer.headers.get(WARNINGS, ""), dict(answer.headers))


@case
def calls_a_tool():
    behave(calls=calls(OSLO))
    for answer in (create(tools=TOOLS), accumulate(tools=TOOLS)[1]):
        found = [item for item in answer.output if item.type == "function_call"]
        check(len(found) == 1 and answer.status == "completed", answer)
        check(found[0].name == "get_weather" and json.loads(found[0].arguments) == OSLO, found)
        check(found[0].call_id and found[0].status == "completed", found)


@case
def forces_a_tool():
    for choice in ("required", {"type": "function", "name": "get_weather"}):
        answer = create(tools=TOOLS, tool_choice=choice)
        check(answer.output[-1].type == "function_call", answer)
    silent = create(input="Use the tool.", tools=TOOLS, tool_choice="none")
    check(silent.output_text == TEXT, silent)


@case
def calls_tools_in_parallel_and_takes_their_results():
    behave(calls=calls(OSLO, BERGEN), preamble=PREAMBLE)
    for answer in (create(tools=TOOLS), accumulate(tools=TOOLS)[1]):
        check(answer.output_text == PREAMBLE, answer)
        found = [item for item in answer.output if item.type == "function_call"]
        check([json.loads(call.arguments) for call in found] == [OSLO, BERGEN], answer)
        check(found[0].call_id != found[1].call_id and found[0].id != found[1].id, found)
        # The SDK's own objects go back, and the results in another order than the calls.
        items = [{"role": "user", "content": ASK}, *answer.output]
        items.append({"type": "function_call_output", "call_id": found[1].call_id, "output": "12 in Bergen"})
        items.append({"type": "function_call_output", "call_id": found[0].call_id, "output": "9 in Oslo"})
        check(create(input=items, tools=TOOLS).output_text == TEXT, "no text after the results")
        request = upstream.last()
        check(request.calls() == [OSLO, BERGEN], request.body)
        check(sorted(request.results()) == ["12 in Bergen", "9 in Oslo"], request.body)


@case
def shows_an_image():
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
    items = [{"role": "user", "content": [{"type": "input_text", "text": "What is it?"}, image]}]
    check(create(input=items).output_text == TEXT, "no text")
    request = upstream.last()
    check(request.images() == [("image/png", PIXEL)] and "What is it?" in request.texts(), request.body)


@case
def thinks_and_keeps_its_signature_over_a_tool_call():
    behave(thinking=THOUGHT, calls=calls(OSLO))
    options = {"model": THINKING_MODEL, "tools": TOOLS, "reasoning": REASONING, "store": False}
    options["include"] = ["reasoning.encrypted_content"]
    for answer in (create(**options), accumulate(**options)[1]):
        check(upstream.last().thinks(), upstream.last().body)
        thoughts = [item for item in answer.output if item.type == "reasoning"]
        shown = "".join(part.text for item in thoughts for part in [*item.summary, *(item.content or [])])
        check(shown == THOUGHT, answer.output)
        found = next(item for item in answer.output if item.type == "function_call")
        items = [{"role": "user", "content": ASK}, *answer.output]
        items.append({"type": "function_call_output", "call_id": found.call_id, "output": "9"})
        check(create(input=items, **options).output_text == TEXT, "no text after the result")
        request = upstream.last()
        if request.api != "chat":
            check(len(request.signatures()) == 1, request.body)
            check("skip_thought_signature_validator" not in request.signatures(), request.body)


@case
def counts_cached_and_reasoning_tokens():
    details = {"cached_tokens": 40, "cache_write_tokens": 0, "reasoning_tokens": 3}
    behave(usage={"input_tokens": 60, "output_tokens": 9}, usage_details=details)
    for usage in (create().usage, accumulate()[1].usage):
        check((usage.input_tokens, usage.output_tokens, usage.total_tokens) == (60, 9, 69), usage)
        check(usage.input_tokens_details.cached_tokens == 40, usage)
        check(usage.output_tokens_details.reasoning_tokens == 3, usage)


@case
def parses_a_structured_answer():
    behave(text=None)
    answer = CLIENT.responses.parse(model=MODEL, input=ASK, text_format=Weather)
    check(answer.output_parsed == Weather(city="mock", degrees=1), answer)
    _, final = accumulate(text_format=Weather)
    check(final.output_parsed == Weather(city="mock", degrees=1), final)


@case
def tells_a_refusal_and_the_limit():
    behave(refusal="I will not.")
    for answer in (create(), list(create(stream=True))[-1].response):
        if KIND in ("anthropic", "gemini"):
            check(answer.status == "incomplete", answer)
            check(answer.incomplete_details.reason == "content_filter", answer)
        else:
            check(answer.output[-1].content[0].refusal == "I will not.", answer)
    behave(finish="length")
    answer = create()
    check(answer.status == "incomplete" and answer.incomplete_details.reason == "max_output_tokens", answer)
    events = list(create(stream=True))
    check(events[-1].type == "response.incomplete", events[-1])


@case
def errors_are_typed():
    for kind, expected in [
        ("rate_limit", openai.RateLimitError),
        ("auth", openai.AuthenticationError),
        ("bad_request", openai.BadRequestError),
        ("not_found", openai.NotFoundError),
        ("server_error", openai.InternalServerError),
        ("overloaded", openai.InternalServerError),
    ]:
        for ask in (create, lambda: list(create(stream=True))):
            behave({"error": {"kind": kind, "hint": {"retry_after_s": 7} if kind == "rate_limit" else {}}})
            error = raises(expected, ask)
            check(error.type is not None and error.body.get("message"), kind, error.body)
            if kind == "rate_limit":
                check(1 <= int(error.response.headers["retry-after"]) <= 7, dict(error.response.headers))


@case
def a_failure_in_the_stream_is_told_after_what_was_said():
    behave({"stream_error": {"after_events": 8, "kind": "overloaded"}})
    events = list(create(stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    check(text and TEXT.startswith(text), text)
    check(events[-1].type == "response.failed", events[-1])
    failed = events[-1].response
    check(failed.status == "failed" and failed.error.code and failed.error.message, failed)
    check(failed.id == events[0].response.id, failed)


@case(kinds=FOREIGN)
def a_stream_that_breaks_off_is_no_success():
    behave({"truncate": {"after_events": 5}})
    events = list(create(stream=True))
    check(events[-1].type in ("response.failed", "error"), events[-1])


@case(kinds=["openai", "anthropic", "gemini"])
def counts_tokens():
    count = CLIENT.responses.input_tokens.count(model=MODEL, input=ASK)
    check(count.object == "response.input_tokens" and count.input_tokens > 0, count)


if __name__ == "__main__":
    sys.exit(main())
