"""The Python clients that people use, against a running server.

Called with B (address), K (API key) in the environment. Ends with 0 when all is
as the clients' own types say; the exception says what is not.
"""

import os

import ollama
import openai

B, K = os.environ["B"], os.environ["K"]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
ASK = [{"role": "user", "content": "Por que o céu é azul?"}]


def check_openai(base: str) -> None:
    client = openai.OpenAI(base_url=B + base, api_key=K, max_retries=0)
    ids = [m.id for m in client.models.list()]
    assert "gpt-4-turbo" in ids, ids

    answer = client.chat.completions.create(model="gpt-4-turbo", messages=ASK)
    assert answer.choices[0].message.content.startswith("word0"), answer
    assert answer.usage.total_tokens == 73, answer.usage

    words, usage = [], None
    stream = client.chat.completions.create(model="gpt-4-turbo", messages=ASK, stream=True, stream_options={"include_usage": True})
    for chunk in stream:
        usage = chunk.usage or usage
        words += [c.delta.content for c in chunk.choices if c.delta.content]
    assert len(words) == 64 and usage.completion_tokens == 64, (words, usage)

    calls = client.chat.completions.create(model="gpt-4-turbo", messages=ASK, tools=TOOLS).choices[0].message.tool_calls
    assert calls[0].function.name == "get_weather" and "Olinda" in calls[0].function.arguments, calls
    deltas = [d for c in client.chat.completions.create(model="gpt-4-turbo", messages=ASK, tools=TOOLS, stream=True)
              for ch in c.choices for d in ch.delta.tool_calls or []]
    assert deltas[0].index == 0 and deltas[0].id == "call_1", deltas

    vectors = client.embeddings.create(model="gpt-4-turbo", input=["a", "b"])
    assert [v.index for v in vectors.data] == [0, 1], vectors

    try:
        client.chat.completions.create(model="no-such", messages=ASK)
    except openai.APIStatusError as err:
        assert err.status_code in (400, 404), err
    else:
        raise AssertionError("an unknown model was answered")
    try:
        client.chat.completions.create(model="mock-fail429", messages=ASK)
    except openai.RateLimitError as err:
        assert err.response.headers["retry-after"] == "7", err.response.headers
    else:
        raise AssertionError("no rate limit")
    try:
        openai.OpenAI(base_url=B + base, api_key="sk-wrong", max_retries=0).models.list()
    except openai.AuthenticationError:
        pass
    else:
        raise AssertionError("a wrong key was taken")


def check_ollama_models() -> None:
    """Models of an Ollama, through the OpenAI client."""
    client = openai.OpenAI(base_url=B + "/api", api_key=K, max_retries=0)
    answer = client.chat.completions.create(model="llama3.2", messages=ASK, temperature=0.1)
    assert "blue" in answer.choices[0].message.content, answer
    text = "".join(c.delta.content or "" for ch in client.chat.completions.create(model="llama3.2", messages=ASK, stream=True) for c in ch.choices)
    assert text == "The sky scatters blue light.", text
    calls = client.chat.completions.create(model="llama3.2", messages=ASK, tools=TOOLS).choices[0].message.tool_calls
    assert calls[0].function.name == "get_weather" and '"Olinda"' in calls[0].function.arguments, calls


def check_ollama() -> None:
    client = ollama.Client(host=B + "/ollama", headers={"Authorization": "Bearer " + K})
    assert "llama3.2:latest" in [m.model for m in client.list().models]
    assert client.show("llama3.2").details.family == "gemma3"
    assert client.chat(model="llama3.2", messages=ASK).message.content
    parts = list(client.chat(model="llama3.2", messages=ASK, stream=True))
    assert len(parts) == 4 and parts[-1].done, parts
    assert "".join(p.response for p in client.generate(model="llama3.2", prompt="x", stream=True)) == "The sky scatters blue light."
    assert client.chat(model="llama3.2", messages=ASK, tools=TOOLS).message.tool_calls[0].function.arguments == {"city": "Olinda"}
    assert len(client.embed(model="llama3.2", input=["a", "b"]).embeddings) == 2
    assert client.ps().models[0].model == "gemma:latest"
    try:
        client.generate(model="no-such", prompt="x")
    except ollama.ResponseError as err:
        assert err.status_code in (400, 404), err
    else:
        raise AssertionError("an unknown model was answered")


for path in ("/api", "/api/v1", "/v1", "/openai"):
    print("openai", path)
    check_openai(path)
print("openai over ollama")
check_ollama_models()
print("ollama")
check_ollama()
