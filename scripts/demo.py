#!/usr/bin/env python3
"""A real model answers through the server, from nothing: start both on free
ports in a temporary folder, sign up, make an API key, ask, stop both."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
QUESTION = "Why is the sky blue?"


def post(url: str, body: dict, credential: str = ""):
    headers = {"Content-Type": "application/json"}
    if credential:
        headers["Authorization"] = "Bearer " + credential
    return urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers))


def main() -> None:
    print("Starting a model (gemma-3-270m) …", flush=True)
    model = subprocess.Popen([sys.executable, str(ROOT / "scripts/realmodel.py")],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    server = None
    with tempfile.TemporaryDirectory() as data:
        try:
            upstream = model.stdout.readline().strip()
            env = dict(os.environ, PORT="0", HOST="127.0.0.1", DATA_DIR=data, ENABLE_OLLAMA_API="false", LOG_LEVEL="error",
                       OPENAI_API_BASE_URL=upstream + "/v1", OPENAI_API_KEY="none")
            server = subprocess.Popen([str(ROOT / "bin/portico"), "serve", "--json"], env=env, stdout=subprocess.PIPE, text=True)
            base = json.loads(server.stdout.readline())["address"]
            print(f"Serving on {base}")

            person = {"name": "Ana", "email": "ana@example.com", "password": "s3cret-Pass!"}
            token = json.load(post(base + "/api/v1/auths/signup", person))["token"]
            print(f"Signed up as {person['email']}, the administrator")
            key = json.load(post(base + "/api/v1/auths/api_key", {}, token))["api_key"]
            print(f"Made an API key: {key[:7]}…\n\n> {QUESTION}\n")

            chat = {"model": "gemma-3-270m", "stream": True, "temperature": 0, "max_tokens": 60, "stop": ["Question:"],
                    "messages": [{"role": "user", "content": QUESTION}]}
            pieces = 0
            with post(base + "/api/chat/completions", chat, key) as answer:
                for line in answer:
                    data = line.decode().strip().removeprefix("data: ")
                    if not data or data == "[DONE]":
                        continue
                    for choice in json.loads(data)["choices"]:
                        text = choice["delta"].get("content") or ""
                        pieces += bool(text)
                        print(text, end="", flush=True)
            print(f"\n\n{pieces} pieces streamed.")
            if not pieces:
                sys.exit("The model said nothing.")
        finally:
            for process in filter(None, (server, model)):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
