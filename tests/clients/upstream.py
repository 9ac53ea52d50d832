"""What the provider was asked: the requests in the mock's log, read in whichever API the gateway chose."""

import base64
import json
import time

from harness import MOCK_URL, check, send


def asked():
    """Gives the requests for answers since the behaviour was set, oldest first."""
    deadline = time.monotonic() + 5
    while True:
        log = send("GET", f"{MOCK_URL}/__mock/log?bodies=1")
        # A client may have the last byte a moment before the log knows.
        if log["totals"]["in_flight"] == 0 and log["entries"]:
            return [Asked(entry) for entry in log["entries"] if entry["operation"] == "generate"]
        check(time.monotonic() < deadline, "the mock was not asked", log["totals"])
        time.sleep(0.005)


def last():
    """Gives the last request, which the mock must have taken."""
    request = asked()[-1]
    check(request.status == 200, "the provider refused", request.status, request.body)
    return request


class Asked:
    """One request. What its methods give does not depend on the API that it was written in."""

    def __init__(self, entry):
        self.path = entry["path"]
        self.status = entry["status"]
        self.stream = entry["stream"]
        self.body = json.loads(base64.b64decode(entry["body_base64"]))
        if self.path.endswith("/chat/completions"):
            self.api = "chat"
        elif self.path.endswith("/responses"):
            self.api = "responses"
        elif self.path.endswith("/messages"):
            self.api = "anthropic"
        else:
            self.api = "gemini"

    def pick(self, **values):
        """Gives the value for the API at hand."""
        return values[self.api]

    def config(self):
        """Gives what holds the parameters."""
        return either(self.body, "generationConfig", {}) if self.api == "gemini" else self.body

    def parts(self):
        """Gives the parts, blocks and items of all turns but instructions, in order; texts that stand for a turn are
        made parts."""
        found = []
        turns = self.body.get(self.pick(chat="messages", responses="input", anthropic="messages", gemini="contents"))
        for turn in [{"role": "user", "content": turns}] if isinstance(turns, str) else turns:
            if self.api == "responses" and turn.get("type", "message") != "message":
                found.append(turn)
                continue
            if self.api == "chat" and turn["role"] == "tool":
                found.append({**turn, "type": "tool"})
                continue
            if turn.get("role") in ("system", "developer"):
                continue
            content = turn.get("parts" if self.api == "gemini" else "content") or []
            if isinstance(content, str):
                content = [{"type": "text", "text": content}]
            found.extend({"role": turn["role"], **part} for part in content)
            found.extend({**call, "type": "call"} for call in turn.get("tool_calls") or [])
        return found

    def texts(self):
        """Gives the texts of all turns, without thoughts."""
        return [part["text"] for part in self.parts() if "text" in part and not part.get("thought")]

    def system(self):
        """Gives the instructions before the conversation, joined."""
        if self.api == "chat":
            found = [turn["content"] for turn in self.body["messages"] if turn["role"] in ("system", "developer")]
            return join(found)
        if self.api == "responses":
            turns = self.body["input"] if isinstance(self.body["input"], list) else []
            found = [turn["content"] for turn in turns if turn.get("role") in ("system", "developer")]
            return join([self.body.get("instructions") or "", *found])
        if self.api == "anthropic":
            return join([self.body.get("system", "")])
        return join([either(self.body, "systemInstruction", {}).get("parts", "")])

    def images(self):
        """Gives (type, base64) of the images that are held by value."""
        found = []
        for part in self.parts():
            if self.api == "anthropic" and part.get("type") == "image":
                found.append((part["source"]["media_type"], part["source"]["data"]))
            data = either(part, "inlineData")
            if data:
                # This API takes both alphabets, and its SDK uses the one for URLs.
                found.append((either(data, "mimeType"), data["data"].translate(str.maketrans("-_", "+/"))))
            url = part.get("image_url")
            url = url["url"] if isinstance(url, dict) else url
            if url:
                kind, data = url.removeprefix("data:").split(";base64,")
                found.append((kind, data))
        return found

    def calls(self):
        """Gives the arguments of the calls in the history, in order."""
        found = []
        for part in self.parts():
            if part.get("type") == "call":
                found.append(json.loads(part["function"]["arguments"]))
            if part.get("type") == "function_call":
                found.append(json.loads(part["arguments"]))
            if part.get("type") == "tool_use":
                found.append(part["input"])
            if either(part, "functionCall"):
                found.append(either(part, "functionCall")["args"])
        return found

    def results(self):
        """Gives the texts of the results of calls, in the order of the request."""
        found = []
        for part in self.parts():
            if part.get("type") in ("tool", "tool_result"):
                found.append(join([part["content"]]))
            if part.get("type") == "function_call_output":
                found.append(join([part["output"]]))
            if either(part, "functionResponse"):
                found.append(either(part, "functionResponse")["response"].get("output"))
        return found

    def signatures(self):
        """Gives the signatures of thoughts in the history."""
        fields = ["signature", "thoughtSignature", "encrypted_content"]
        return [either(part, field) for part in self.parts() for field in fields if either(part, field)]

    def tools(self):
        """Gives name and schema of the declared functions."""
        tools = self.body.get("tools", [])
        if self.api == "chat":
            return {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
        if self.api == "responses":
            return {tool["name"]: tool["parameters"] for tool in tools}
        if self.api == "anthropic":
            return {tool["name"]: tool["input_schema"] for tool in tools}
        functions = [function for tool in tools for function in either(tool, "functionDeclarations")]
        return {function["name"]: either(function, "parametersJsonSchema") for function in functions}

    def limit(self):
        """Gives the limit of output tokens."""
        names = ["max_completion_tokens", "max_tokens", "max_output_tokens", "maxOutputTokens"]
        return next((either(self.config(), name) for name in names if either(self.config(), name)), None)

    def stops(self):
        """Gives the stop texts."""
        name = self.pick(chat="stop", responses="stop", anthropic="stop_sequences", gemini="stopSequences")
        stops = either(self.config(), name)
        return [stops] if isinstance(stops, str) else stops

    def thinks(self):
        """Tells whether the request has the model think."""
        if self.api == "chat":
            return self.body.get("reasoning_effort", "none") != "none"
        if self.api == "responses":
            return self.body.get("reasoning", {}).get("effort", "none") != "none"
        if self.api == "anthropic":
            return self.body.get("thinking", {}).get("type") in ("enabled", "adaptive")
        config = either(self.config(), "thinkingConfig", {})
        return either(config, "thinkingLevel") is not None or either(config, "thinkingBudget", 0) != 0


def either(value, name, default=None):
    """Gives a field by its name or by the snake_case spelling, which Gemini's API takes as well."""
    snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
    return value.get(name, value.get(snake, default))


def join(contents):
    """Joins texts, and the texts of lists of parts."""
    texts = []
    for content in contents:
        texts.extend([content] if isinstance(content, str) else [part.get("text", "") for part in content])
    return "\n".join(text for text in texts if text)
