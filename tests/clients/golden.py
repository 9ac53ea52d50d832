"""Holds recorded translations against the vendors' own types and accumulators.

usage: golden.py FOLDER

FOLDER has a folder for each dialect with `CASE.response.CLIENT.snap` and `CASE.stream.CLIENT.snap`: what a client of
CLIENT is told of a recorded answer. A line `warnings: …` may stand before the body, and a line `failed: …` after as much
of a stream as came before its failure, which the gateway then tells by an event that is no part of the file. Carriage
returns are written as \u240d, and what an envelope seals as `sealed …`.
Prints one line for each file that does not fit, and in the end how many fit.
"""

import json
import pathlib
import re
import sys
import warnings

import anthropic.types
import google.genai.types
import openai.types.chat
import openai.types.responses
import pydantic
from anthropic.lib.streaming._messages import accumulate_event
from openai._models import construct_type
from openai.lib.streaming.chat._completions import ChatCompletionStreamState

# The serialisers of the SDKs warn of their own unions.
warnings.filterwarnings("ignore", category=UserWarning)

RESPONSE_EVENT = pydantic.TypeAdapter(openai.types.responses.ResponseStreamEvent)
MESSAGE_EVENT = pydantic.TypeAdapter(anthropic.types.RawMessageStreamEvent)
SEALED = re.compile(r'"sealed [^"]*"')


class Unfit(Exception):
    """What does not fit."""


def require(holds, why):
    if not holds:
        raise Unfit(why)


def read(path):
    """Gives the body of a file, and whether the answer failed after it."""
    lines = path.read_bytes().decode("utf-8").replace("\u240d\n", "\r\n").split("\n")
    while lines and lines[0].startswith("warnings: "):
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    failed = bool(lines) and lines[-1].startswith("failed: ")
    if failed:
        lines.pop()
    # An envelope is base64.
    return SEALED.sub('"c2VhbGVk"', "\n".join(lines)), failed


def events(body):
    """Splits a stream into (name, data) as the SDKs do."""
    for block in body.replace("\r\n", "\n").split("\n\n"):
        name, data = None, []
        for line in block.split("\n"):
            if line.startswith("event: "):
                name = line[len("event: "):]
            elif line.startswith("data: "):
                data.append(line[len("data: "):])
        if data:
            yield name, "\n".join(data)


def chat_response(body, _):
    completion = openai.types.chat.ChatCompletion.model_validate_json(body)
    for choice in completion.choices:
        for call in choice.message.tool_calls or []:
            if call.type == "function":
                require(isinstance(json.loads(call.function.arguments), dict), "arguments are no object")


def chat_stream(body, failed):
    state = ChatCompletionStreamState()
    finished, done, last_usage = set(), False, False
    for name, data in events(body):
        require(name is None, "a chat event has a name")
        require(not done, "an event follows the end mark")
        if data == "[DONE]":
            done = True
            continue
        # The types of a stream know no free-form calls; the SDK reads them without asking its types.
        if '"custom":{' in data:
            chunk = construct_type(type_=openai.types.chat.ChatCompletionChunk, value=json.loads(data))
        else:
            chunk = openai.types.chat.ChatCompletionChunk.model_validate_json(data)
        require(not last_usage, "an event follows the usage")
        last_usage = not chunk.choices and chunk.usage is not None
        finished |= {choice.index for choice in chunk.choices if choice.finish_reason}
        state.handle_chunk(chunk)
    require(done != failed, "a stream ends with its mark, or fails")
    if not failed:
        completion = state.current_completion_snapshot
        require(finished == {choice.index for choice in completion.choices}, "a choice has no finish")
        for choice in completion.choices:
            require(choice.message.role == "assistant", "the role was said twice")
            for call in choice.message.tool_calls or []:
                if call.type == "function":
                    json.loads(call.function.arguments)


def responses_response(body, _):
    response = openai.types.responses.Response.model_validate_json(body)
    require(response.id.startswith("resp_"), "the id is not a response's")
    require(response.usage is not None, "no usage")


def responses_stream(body, failed):
    expected, announced, open_items, terminal = 0, {}, set(), None
    for name, data in events(body):
        tree = json.loads(data)
        require(name == tree["type"], "the event's name is not its type")
        require(terminal is None, "an event follows the end")
        require(tree["sequence_number"] == expected, f"sequence number {tree['sequence_number']}, not {expected}")
        expected += 1
        event = RESPONSE_EVENT.validate_json(data)
        index = tree.get("output_index")
        if event.type == "response.output_item.added":
            require(index not in announced, "an item was announced twice")
            announced[index] = event.item
            open_items.add(index)
        elif event.type == "response.output_item.done":
            require(index in open_items, "an item ended that was not open")
            open_items.discard(index)
            require(event.item.id == announced[index].id, "an item changed its id")
        elif index is not None:
            require(index in open_items, f"{event.type} of an item that is not open")
        if event.type in ("response.completed", "response.incomplete", "response.failed", "error"):
            terminal = event
    require((terminal is None) == failed, "a stream ends with its last event, or fails")
    if terminal is not None and terminal.type in ("response.completed", "response.incomplete"):
        require(not open_items, "an item was not ended")
        require(len(terminal.response.output) == len(announced), "the end has other items")
        for index, item in announced.items():
            require(terminal.response.output[index].id == item.id, "the end has another id")


def anthropic_response(body, _):
    message = anthropic.types.Message.model_validate_json(body)
    require(message.stop_reason is not None, "no stop reason")


def anthropic_stream(body, failed):
    snapshot, index, open_block, ended, buffers = None, 0, False, False, {}
    for name, data in events(body):
        tree = json.loads(data)
        require(name == tree["type"], "the event's name is not its type")
        require(not ended, "an event follows the end")
        event = MESSAGE_EVENT.validate_json(data)
        if event.type == "content_block_start":
            require(not open_block and event.index == index, "blocks are not one after the other")
            open_block = True
        elif event.type == "content_block_stop":
            require(open_block and event.index == index, "a block ended that was not open")
            open_block, index = False, index + 1
        elif event.type == "content_block_delta":
            require(open_block and event.index == index, "a delta of a block that is not open")
        ended = event.type == "message_stop"
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    require(ended != failed, "a stream ends with its last event, or fails")
    if ended:
        require(snapshot.stop_reason is not None, "no stop reason")
        for block in snapshot.content:
            require(block.type != "text" or block.text, "a block of text is empty")


def gemini_response(body, _):
    google.genai.types.GenerateContentResponse.model_validate_json(body)


def gemini_stream(body, failed):
    finished = False
    for name, data in events(body):
        require(name is None, "a Gemini event has a name")
        chunk = google.genai.types.GenerateContentResponse.model_validate_json(data)
        finished |= any(candidate.finish_reason for candidate in chunk.candidates or [])
        finished |= chunk.prompt_feedback is not None
    require(finished or failed, "no finish reason")


CHECKS = {
    ("response", "chat"): chat_response,
    ("stream", "chat"): chat_stream,
    ("response", "responses"): responses_response,
    ("stream", "responses"): responses_stream,
    ("response", "anthropic"): anthropic_response,
    ("stream", "anthropic"): anthropic_stream,
    ("response", "gemini"): gemini_response,
    ("stream", "gemini"): gemini_stream,
}


def main():
    fitting, unfit = 0, 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*/*.snap")):
        _, kind, client, _ = path.name.rsplit(".", 3)
        check = CHECKS.get((kind, client))
        if check is None:
            continue
        body, failed = read(path)
        if failed and kind == "response":
            continue
        try:
            check(body, failed)
            fitting += 1
        except Exception as error:  # whatever an SDK raises is a finding
            unfit += 1
            print(f"{path.parent.name}/{path.name}: {type(error).__name__}: {str(error)[:600]}")
    print(f"{fitting} fit, {unfit} do not")
    sys.exit(1 if unfit or not fitting else 0)


if __name__ == "__main__":
    main()
