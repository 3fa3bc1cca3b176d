// The JavaScript clients that people use, against a running server; see
// clients.py, which does the same in Python.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { Ollama } from "ollama";

const { B, K } = process.env;
const messages = [{ role: "user", content: "Por que o céu é azul?" }];
const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } } }];

async function checkOpenAI(base) {
  const client = new OpenAI({ baseURL: B + base, apiKey: K, maxRetries: 0 });
  const ids = (await client.models.list()).data.map((m) => m.id);
  assert(ids.includes("gpt-4-turbo"), String(ids));

  const answer = await client.chat.completions.create({ model: "gpt-4-turbo", messages });
  assert(answer.choices[0].message.content.startsWith("word0"));
  assert.equal(answer.usage.total_tokens, 73);

  let words = 0;
  let usage;
  for await (const chunk of await client.chat.completions.create({ model: "gpt-4-turbo", messages, stream: true, stream_options: { include_usage: true } })) {
    usage = chunk.usage ?? usage;
    if (chunk.choices[0]?.delta?.content) words++;
  }
  assert.equal(words, 64);
  assert.equal(usage.completion_tokens, 64);

  const calls = (await client.chat.completions.create({ model: "gpt-4-turbo", messages, tools })).choices[0].message.tool_calls;
  assert.equal(calls[0].function.name, "get_weather");
  const vectors = await client.embeddings.create({ model: "gpt-4-turbo", input: ["a", "b"], encoding_format: "float" });
  assert.equal(vectors.data.length, 2);

  await assert.rejects(client.chat.completions.create({ model: "no-such", messages }), (e) => e.status === 400 || e.status === 404);
  await assert.rejects(client.chat.completions.create({ model: "mock-fail429", messages }), (e) => e.status === 429);
  await assert.rejects(new OpenAI({ baseURL: B + base, apiKey: "sk-wrong", maxRetries: 0 }).models.list(), (e) => e.status === 401);
}

async function checkOllama() {
  const client = new Ollama({ host: B + "/ollama", headers: { Authorization: "Bearer " + K } });
  assert((await client.list()).models.some((m) => m.model === "llama3.2:latest"));
  assert.equal((await client.show({ model: "llama3.2" })).details.family, "gemma3");
  let text = "";
  for await (const part of await client.chat({ model: "llama3.2", messages, stream: true })) text += part.message.content;
  assert.equal(text, "The sky scatters blue light.");
  assert((await client.generate({ model: "llama3.2", prompt: "x" })).response);
  assert.equal((await client.embed({ model: "llama3.2", input: ["a", "b"] })).embeddings.length, 2);
  assert.equal((await client.chat({ model: "llama3.2", messages, tools })).message.tool_calls[0].function.name, "get_weather");
  assert((await client.ps()).models.length > 0);
  await assert.rejects(client.generate({ model: "no-such", prompt: "x" }));
}

for (const base of ["/api", "/api/v1", "/v1", "/openai"]) {
  console.log("openai", base);
  await checkOpenAI(base);
}
console.log("ollama");
await checkOllama();
