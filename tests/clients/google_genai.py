"""The google-genai SDK; see harness.py for how it is run."""

import base64
import sys

from google import genai
from google.genai import errors, types
from pydantic import BaseModel

import upstream
from harness import (
    ASK, BERGEN, EMBED_MODEL, GATEWAY, KEY, KIND, MODEL, OSLO, PIXEL, PREAMBLE, SCHEMA, TEXT, THINKING_MODEL, THOUGHT,
    WARNINGS, WORDS, behave, calls, case, check, main, raises,
)

CLIENT = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=GATEWAY, timeout=20_000))
DECLARATION = types.FunctionDeclaration(name="get_weather", description="Weather.", parameters_json_schema=SCHEMA)
TOOLS = [types.Tool(function_declarations=[DECLARATION])]
FOREIGN = ["openai", "anthropic", "openai_compatible"]
# The SDK would call tools by itself.
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)
THINKING = types.ThinkingConfig(include_thoughts=True, thinking_budget=2048)


class Weather(BaseModel):
    """What a structured answer holds."""

    city: str
    degrees: int


def config(**more):
    """Gives the configuration of a request."""
    return types.GenerateContentConfig(automatic_function_calling=BY_HAND, **more)


def generate(contents=ASK, model=MODEL, **more):
    """Asks for content."""
    return CLIENT.models.generate_content(model=model, contents=contents, config=config(**more))


def stream(contents=ASK, model=MODEL, **more):
    """Asks for streamed content and gives its chunks."""
    return list(CLIENT.models.generate_content_stream(model=model, contents=contents, config=config(**more)))


def parts(answers):
    """Gives the parts of one answer or of all chunks."""
    found = []
    for answer in answers if isinstance(answers, list) else [answers]:
        for candidate in answer.candidates or []:
            found.extend((candidate.content.parts or []) if candidate.content else [])
    return found


def finish(answers):
    """Gives the finish reason of one answer or of all chunks, which have it once, at the end."""
    answers = answers if isinstance(answers, list) else [answers]
    found = [answer.candidates[0].finish_reason for answer in answers if answer.candidates]
    check(all(reason is None for reason in found[:-1]), found)
    return found[-1]


@case
def answers_with_text():
    answer = generate()
    check(answer.text == TEXT and finish(answer) == types.FinishReason.STOP, answer)
    check(answer.candidates[0].content.role == "model" and answer.response_id, answer)
    check(answer.model_version == MODEL, answer.model_version)
    usage = answer.usage_metadata
    check(usage.prompt_token_count > 0 and usage.candidates_token_count >= WORDS, usage)


@case
def streams_text():
    chunks = stream()
    check("".join(chunk.text or "" for chunk in chunks) == TEXT, chunks)
    check(finish(chunks) == types.FinishReason.STOP, chunks[-1])
    check(chunks[-1].usage_metadata.candidates_token_count >= WORDS, chunks[-1])


@case
def parameters_and_instructions_arrive():
    turns = [types.UserContent("Hello"), types.ModelContent("Hello to you."), types.UserContent(ASK)]
    generate(turns, system_instruction="Be brief.", max_output_tokens=77, tools=TOOLS)
    request = upstream.last()
    check("Be brief." in request.system(), request.body)
    said = [text for text in request.texts() if text != "Be brief."]
    check(said == ["Hello", "Hello to you.", ASK] and request.limit() == 77, request.body)
    check(request.tools()["get_weather"]["required"] == ["city", "unit"], request.body)


@case(kinds=FOREIGN)
def tells_what_is_lost():
    answer = generate(top_k=3, safety_settings=[
        types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")
    ])
    told = answer.sdk_http_response.headers.get(WARNINGS, "")
    check("safetySettings=dropped" in told, answer.sdk_http_response.headers)


@case
def calls_a_tool():
    behave(calls=calls(OSLO))
    for answer in (generate(tools=TOOLS), stream(tools=TOOLS)):
        found = [part.function_call for part in parts(answer) if part.function_call]
        check(len(found) == 1 and found[0].name == "get_weather" and found[0].args == OSLO, answer)
        check(finish(answer) == types.FinishReason.STOP, answer)


@case
def forces_a_tool():
    for names in (None, ["get_weather"]):
        calling = types.FunctionCallingConfig(mode="ANY", allowed_function_names=names)
        answer = generate(tools=TOOLS, tool_config=types.ToolConfig(function_calling_config=calling))
        check(answer.function_calls[0].name == "get_weather", answer)
    none = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="NONE"))
    check(generate("Use the tool.", tools=TOOLS, tool_config=none).text == TEXT, "a call")


@case
def calls_tools_in_parallel_and_takes_their_results():
    behave(calls=calls(OSLO, BERGEN), preamble=PREAMBLE)
    for answer in (generate(tools=TOOLS), stream(tools=TOOLS)):
        said = [part for part in parts(answer) if part.text or part.function_call]
        check("".join(part.text or "" for part in said) == PREAMBLE, answer)
        found = [part.function_call for part in said if part.function_call]
        check([call.args for call in found] == [OSLO, BERGEN], answer)
        results = [
            types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": text}))
            for call, text in zip(found, ["9 in Oslo", "12 in Bergen"])
        ]
        turns = [types.UserContent(ASK), types.Content(role="model", parts=said), types.UserContent(results)]
        check(generate(turns, tools=TOOLS).text == TEXT, "no text after the results")
        request = upstream.last()
        check(request.calls() == [OSLO, BERGEN], request.body)
        check(request.results() == ["9 in Oslo", "12 in Bergen"], request.body)


@case
def shows_an_image():
    image = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    check(generate([types.UserContent(["What is it?", image])]).text == TEXT, "no text")
    request = upstream.last()
    check(request.images() == [("image/png", PIXEL)] and "What is it?" in request.texts(), request.body)


@case
def thinks_and_keeps_its_signature_over_a_tool_call():
    behave(thinking=THOUGHT, calls=calls(OSLO))
    options = {"model": THINKING_MODEL, "tools": TOOLS, "thinking_config": THINKING}
    for answer in (generate(**options), stream(**options)):
        check(upstream.last().thinks(), upstream.last().body)
        said = [part for part in parts(answer) if part.text or part.function_call or part.thought_signature]
        check("".join(part.text for part in said if part.thought) == THOUGHT, said)
        call = next(part.function_call for part in said if part.function_call)
        response = types.FunctionResponse(id=call.id, name=call.name, response={"output": "9"})
        result = types.UserContent([types.Part(function_response=response)])
        turns = [types.UserContent(ASK), types.Content(role="model", parts=said), result]
        final = generate(turns, **options)
        check("".join(part.text for part in parts(final) if part.text and not part.thought) == TEXT, final)
        request = upstream.last()
        if request.api != "chat":
            check(len(request.signatures()) == 1, request.body)
            check("skip_thought_signature_validator" not in request.signatures(), request.body)


@case
def counts_cached_and_reasoning_tokens():
    details = {"cached_tokens": 40, "cache_write_tokens": 0, "reasoning_tokens": 3}
    behave(usage={"input_tokens": 60, "output_tokens": 9}, usage_details=details)
    for usage in (generate().usage_metadata, stream()[-1].usage_metadata):
        check((usage.prompt_token_count, usage.total_token_count) == (60, 69), usage)
        check((usage.candidates_token_count, usage.thoughts_token_count) == (6, 3), usage)
        check(usage.cached_content_token_count == 40, usage)


@case
def parses_a_structured_answer():
    behave(text=None)
    answer = generate(response_mime_type="application/json", response_schema=Weather)
    check(answer.parsed == Weather(city="mock", degrees=1), answer)
    schema = Weather.model_json_schema()
    chunks = stream(response_mime_type="application/json", response_json_schema=schema)
    text = "".join(chunk.text or "" for chunk in chunks)
    check(Weather.model_validate_json(text) == Weather(city="mock", degrees=1), text)


@case
def tells_a_refusal_and_the_limit():
    behave(refusal="I will not.")
    for answer in (generate(), stream()):
        if KIND in ("gemini", "anthropic"):
            check(finish(answer) == types.FinishReason.SAFETY, answer)
        else:
            check("".join(part.text or "" for part in parts(answer)) == "I will not.", answer)
    behave(finish="length")
    for answer in (generate(), stream()):
        check(finish(answer) == types.FinishReason.MAX_TOKENS, answer)


@case
def errors_are_typed():
    for kind, expected, status in [
        ("rate_limit", errors.ClientError, "RESOURCE_EXHAUSTED"),
        ("bad_request", errors.ClientError, "INVALID_ARGUMENT"),
        ("not_found", errors.ClientError, "NOT_FOUND"),
        ("server_error", errors.ServerError, "INTERNAL"),
        ("overloaded", errors.ServerError, "UNAVAILABLE"),
    ]:
        for ask in (generate, stream):
            behave({"error": {"kind": kind, "hint": {"retry_after_s": 7} if kind == "rate_limit" else {}}})
            error = raises(expected, ask)
            check(error.status == status and error.message, kind, error.status, error.code)
            if kind == "rate_limit":
                check(1 <= int(error.response.headers["retry-after"]) <= 7, error.response.headers)


@case
def an_error_in_the_stream_is_raised_after_what_was_said():
    behave({"stream_error": {"after_events": 8, "kind": "overloaded"}})
    seen = []
    chunks = CLIENT.models.generate_content_stream(model=MODEL, contents=ASK, config=config())
    error = raises(errors.APIError, lambda: seen.extend(chunks))
    check(error.status == "UNAVAILABLE", error)
    # `extend` keeps what came before the error.
    text = "".join(chunk.text or "" for chunk in seen)
    check(text and TEXT.startswith(text), text)


@case(kinds=FOREIGN)
def a_stream_that_breaks_off_is_no_success():
    behave({"truncate": {"after_events": 6}})
    raises(errors.APIError, stream)


@case(kinds=["openai", "anthropic", "gemini"])
def counts_tokens():
    count = CLIENT.models.count_tokens(model=MODEL, contents=ASK)
    check(count.total_tokens > 0, count)


@case(kinds=["openai", "openai_compatible", "gemini"])
def embeds():
    answer = CLIENT.models.embed_content(model=EMBED_MODEL, contents=["alpha", "beta"])
    check(len(answer.embeddings) == 2 and len(answer.embeddings[0].values) > 0, answer)


@case
def lists_the_model():
    names = [model.name for model in CLIENT.models.list()]
    check(f"models/{MODEL}" in names, names)


if __name__ == "__main__":
    sys.exit(main())
