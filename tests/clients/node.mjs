// The vendors' Node SDKs and the AI SDK, each on one client API.
//
// Environment, besides that of harness.py: API (chat, responses, anthropic or gemini), and AGENTS, the folder with
// node_modules. Prints a line for each case; the exit code is the number of failed cases.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { AGENTS, API, GATEWAY, MOCK_URL, MODEL } = process.env;
const require = createRequire(`${AGENTS}/package.json`);
const { OpenAI } = require("openai");
const { Anthropic } = require("@anthropic-ai/sdk");
const { GoogleGenAI } = require("@google/genai");
const ai = require("ai");
const { z } = require("zod");

const TEXT = 'The quick brown fox says "hello" to the lazy dog.';
const ASK = "What is the weather?";
const OSLO = { city: "Oslo", unit: "celsius" };
const BERGEN = { city: "Bergen", unit: "kelvin" };
const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "kelvin"] } },
  required: ["city", "unit"],
  additionalProperties: false,
};
const CALLS = [OSLO, BERGEN].map((given) => ({ name: "get_weather", arguments: given }));
const apiKey = process.env.GATEWAY_KEY ?? "test-key";

/** Has the mock say this to every request from now on. */
async function behave(reply) {
  const body = JSON.stringify([{ reply: { text: TEXT, ...reply } }]);
  const answer = await fetch(`${MOCK_URL}/__mock/behaviour/rules`, { method: "PUT", body });
  assert.ok(answer.ok, await answer.text());
}

/** What each SDK does: `say` streams an answer to a text, `call` the calls, `answer` goes on with their results. */
const SDKS = {
  chat() {
    const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey, maxRetries: 0 });
    const tools = [{ type: "function", function: { name: "get_weather", parameters: SCHEMA } }];
    const messages = [{ role: "user", content: ASK }];
    const run = (more) => client.chat.completions.stream({ model: MODEL, messages, ...more }).finalChatCompletion();
    return {
      say: async () => (await run({})).choices[0].message.content,
      async call() {
        const { message, finish_reason } = (await run({ tools })).choices[0];
        assert.equal(finish_reason, "tool_calls");
        const calls = message.tool_calls.map((call) => JSON.parse(call.function.arguments));
        const { role, content, tool_calls } = message;
        const plain = tool_calls.map(({ id, type, function: { name, arguments: text }, extra_content }) => ({
          id, type, function: { name, arguments: text }, extra_content,
        }));
        return { calls, turn: { role, content, tool_calls: plain } };
      },
      async answer(turn, results) {
        const told = turn.tool_calls.map(({ id }, at) => ({ role: "tool", tool_call_id: id, content: results[at] }));
        return (await run({ tools, messages: [...messages, turn, ...told] })).choices[0].message.content;
      },
    };
  },

  responses() {
    const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey, maxRetries: 0 });
    const tools = [{ type: "function", name: "get_weather", parameters: SCHEMA, strict: true }];
    const input = [{ role: "user", content: ASK }];
    const run = (more) => client.responses.stream({ model: MODEL, input, ...more }).finalResponse();
    return {
      say: async () => (await run({})).output_text,
      async call() {
        const { output } = await run({ tools });
        const calls = output.filter((item) => item.type === "function_call");
        // The accumulator adds what it has parsed.
        const turn = output.map(({ parsed_arguments, ...item }) => item);
        return { calls: calls.map((call) => JSON.parse(call.arguments)), turn };
      },
      async answer(turn, results) {
        const calls = turn.filter((item) => item.type === "function_call");
        const told = calls.map(({ call_id }, at) => ({ type: "function_call_output", call_id, output: results[at] }));
        return (await run({ tools, input: [...input, ...turn, ...told] })).output_text;
      },
    };
  },

  anthropic() {
    const client = new Anthropic({ baseURL: GATEWAY, apiKey, maxRetries: 0 });
    const tools = [{ name: "get_weather", input_schema: SCHEMA }];
    const messages = [{ role: "user", content: ASK }];
    const run = (more) => client.messages.stream({ model: MODEL, max_tokens: 999, messages, ...more }).finalMessage();
    const text = ({ content }) => content.filter((block) => block.type === "text").map((block) => block.text).join("");
    const uses = (content) => content.filter((block) => block.type === "tool_use");
    return {
      say: async () => text(await run({})),
      async call() {
        const { content, stop_reason } = await run({ tools });
        assert.equal(stop_reason, "tool_use");
        return { calls: uses(content).map((block) => block.input), turn: content };
      },
      async answer(turn, results) {
        const told = uses(turn).map(({ id }, at) => ({ type: "tool_result", tool_use_id: id, content: results[at] }));
        const turns = [...messages, { role: "assistant", content: turn }, { role: "user", content: told }];
        return text(await run({ tools, messages: turns }));
      },
    };
  },

  gemini() {
    const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: GATEWAY } });
    const tools = [{ functionDeclarations: [{ name: "get_weather", parametersJsonSchema: SCHEMA }] }];
    const first = { role: "user", parts: [{ text: ASK }] };
    async function run(contents, config) {
      const parts = [];
      for await (const chunk of await client.models.generateContentStream({ model: MODEL, contents, config })) {
        parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
      }
      return parts;
    }
    const text = (parts) => parts.map((part) => part.text ?? "").join("");
    return {
      say: async () => text(await run([first])),
      async call() {
        const turn = (await run([first], { tools })).filter((part) => part.functionCall);
        return { calls: turn.map((part) => part.functionCall.args), turn };
      },
      async answer(turn, results) {
        const told = turn.map(({ functionCall: { id, name } }, at) => ({
          functionResponse: { id, name, response: { output: results[at] } },
        }));
        const contents = [first, { role: "model", parts: turn }, { role: "user", parts: told }];
        return text(await run(contents, { tools }));
      },
    };
  },
};

/** The AI SDK's model on each API. */
const AI_MODELS = {
  chat: () => require("@ai-sdk/openai").createOpenAI({ baseURL: `${GATEWAY}/v1`, apiKey }).chat(MODEL),
  responses: () => require("@ai-sdk/openai").createOpenAI({ baseURL: `${GATEWAY}/v1`, apiKey }).responses(MODEL),
  anthropic: () => require("@ai-sdk/anthropic").createAnthropic({ baseURL: `${GATEWAY}/v1`, apiKey })(MODEL),
  gemini: () => require("@ai-sdk/google").createGoogleGenerativeAI({ baseURL: `${GATEWAY}/v1beta`, apiKey })(MODEL),
};

const CASES = {
  async the_sdk_streams_text() {
    assert.equal(await SDKS[API]().say(), TEXT);
  },

  async the_sdk_streams_parallel_calls_and_takes_their_results() {
    await behave({ calls: CALLS });
    const sdk = SDKS[API]();
    const { calls, turn } = await sdk.call();
    assert.deepEqual(calls, [OSLO, BERGEN]);
    assert.equal(await sdk.answer(turn, ["9", "12"]), TEXT);
  },

  async the_ai_sdk_runs_its_tool_loop() {
    await behave({ calls: CALLS });
    const ran = [];
    const get_weather = ai.tool({
      inputSchema: ai.jsonSchema(SCHEMA),
      execute: async ({ city }) => ran.push(city),
    });
    // Otherwise it names items that only OpenAI keeps.
    const providerOptions = { openai: { store: false } };
    const options = { model: AI_MODELS[API](), prompt: ASK, tools: { get_weather }, maxRetries: 0, providerOptions };
    const errors = [];
    const stream = ai.streamText({ ...options, stopWhen: ai.stepCountIs(3), onError: ({ error }) => errors.push(error) });
    await stream.consumeStream();
    assert.deepEqual(errors, []);
    assert.equal(await stream.text, TEXT);
    assert.deepEqual(ran, ["Oslo", "Bergen"]);
    assert.equal((await stream.steps).length, 2);
    assert.ok((await stream.totalUsage).totalTokens > 0);
  },

  async the_ai_sdk_gets_an_object() {
    await behave({ text: null });
    const schema = z.object({ city: z.string(), degrees: z.number() });
    const { object } = await ai.generateObject({ model: AI_MODELS[API](), schema, prompt: ASK, maxRetries: 0 });
    assert.deepEqual(object, { city: "mock", degrees: 1 });
  },
};

let failed = 0;
for (const [name, run] of Object.entries(CASES)) {
  await behave({});
  try {
    await run();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}`);
    console.error(error);
  }
}
console.log(failed ? `${failed} failed` : `all ${Object.keys(CASES).length} passed`);
process.exitCode = failed;
