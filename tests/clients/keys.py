"""The SDKs of all three vendors with a key that the gateway gave out; see harness.py for how it is run."""

import sys

import anthropic
import openai
from google import genai
from google.genai import errors, types

from harness import ASK, GATEWAY, KEY, MODEL, TEXT, THINKING_MODEL, case, check, main, raises

USER = [{"role": "user", "content": ASK}]


def of_openai(key):
    """Gives OpenAI's client with that key."""
    return openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=key, max_retries=0, timeout=20)


def of_anthropic(key):
    """Gives Anthropic's client with that key."""
    return anthropic.Anthropic(base_url=GATEWAY, api_key=key, max_retries=0, timeout=20)


def of_google(key):
    """Gives Google's client with that key. It closes its connections when it is let go of, also within a call."""
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=GATEWAY, timeout=20_000))


@case
def openai_is_served_with_its_key_and_told_what_is_left_of_its_rates():
    raw = of_openai(KEY).chat.completions.with_raw_response.create(model=MODEL, messages=USER)
    check(raw.parse().choices[0].message.content == TEXT, raw.text)
    check(raw.headers["x-ratelimit-limit-requests"] == "1000", dict(raw.headers))
    check(int(raw.headers["x-ratelimit-remaining-requests"]) < 1000, dict(raw.headers))


@case
def anthropic_is_served_with_its_key_and_told_what_is_left_of_its_rates():
    raw = of_anthropic(KEY).messages.with_raw_response.create(model=MODEL, max_tokens=64, messages=USER)
    check(raw.parse().content[0].text == TEXT, raw.text)
    check(raw.headers["anthropic-ratelimit-requests-limit"] == "1000", dict(raw.headers))


@case
def google_is_served_with_its_key():
    client = of_google(KEY)
    answer = client.models.generate_content(model=MODEL, contents=ASK)
    check(answer.text == TEXT, answer)


@case
def openai_raises_that_a_key_is_nobodys():
    error = raises(
        openai.AuthenticationError,
        lambda: of_openai("cpk_wrong").chat.completions.create(model=MODEL, messages=USER),
    )
    check(error.code == "invalid_api_key" and "cpk_wrong" not in str(error), error)


@case
def anthropic_raises_that_a_key_is_nobodys():
    error = raises(
        anthropic.AuthenticationError,
        lambda: of_anthropic("cpk_wrong").messages.create(model=MODEL, max_tokens=64, messages=USER),
    )
    check(error.body["error"]["type"] == "authentication_error", error.body)


@case
def google_raises_that_a_key_is_nobodys():
    client = of_google("cpk_wrong")
    error = raises(errors.ClientError, lambda: client.models.generate_content(model=MODEL, contents=ASK))
    check(error.code == 401 and error.status == "UNAUTHENTICATED", error)


@case
def each_lists_what_the_client_may_ask_for_and_nothing_else():
    check([model.id for model in of_openai(KEY).models.list()] == [MODEL])
    check([model.id for model in of_anthropic(KEY).models.list()] == [MODEL])


@case
def another_model_is_refused():
    raises(
        openai.PermissionDeniedError,
        lambda: of_openai(KEY).chat.completions.create(model=THINKING_MODEL, messages=USER),
    )


@case
def openai_raises_that_it_is_too_fast_and_when_to_come_back():
    completions = of_openai("cpk_openai-is-limited").chat.completions

    def ask():
        return completions.create(model=MODEL, messages=USER)

    ask()
    error = raises(openai.RateLimitError, ask)
    check(error.status_code == 429 and error.code == "rate_limit_exceeded", error)
    told(error.response.headers, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests")


@case
def anthropic_raises_that_it_is_too_fast_and_when_to_come_back():
    client = of_anthropic("cpk_anthropic-is-limited")

    def ask():
        return client.messages.create(model=MODEL, max_tokens=64, messages=USER)

    ask()
    error = raises(anthropic.RateLimitError, ask)
    check(error.status_code == 429 and error.body["error"]["type"] == "rate_limit_error", error.body)
    told(error.response.headers, "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining")


@case
def google_raises_that_it_is_too_fast():
    client = of_google("cpk_google-is-limited")

    def ask():
        return client.models.generate_content(model=MODEL, contents=ASK)

    ask()
    error = raises(errors.ClientError, ask)
    check(error.code == 429 and error.status == "RESOURCE_EXHAUSTED", error)


def told(headers, limit, remaining):
    """Checks that a refusal of one request a minute says when to come back, and what is left until then."""
    check(headers[limit] == "1" and headers[remaining] == "0", dict(headers))
    check(1 <= int(headers["retry-after"]) <= 62, dict(headers))


if __name__ == "__main__":
    sys.exit(main())
