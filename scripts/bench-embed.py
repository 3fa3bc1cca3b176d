"""Compares embedding here with sentence-transformers on torch, in turns.

Both embed the same chunks of about 256 tokens of the same model with two
threads; rounds alternate, and the median of the ratios is printed, so that
other load on the machine falls on both. torch goes into .cache/bench (3 GB),
which is why this is no part of `make bench`.

    python3 scripts/bench-embed.py [--rounds 5] [--chunks 32] [--texts FILE]

FILE is what `load documents -texts FILE` leaves: chunks, and the seconds that
the server took for them. torch embeds a sample of them, and the rest is
reckoned by their letters.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / ".cache" / "bench"
PYTHON = BENCH / "py" / "bin" / "python"
MODELS = ROOT / ".cache" / "testenv" / "models"
MODEL = MODELS / "all-MiniLM-L6-v2"

TOPICS = [
    "The server keeps the files of each user in a folder of its own and checks them when they are read.",
    "A question is answered from the passages that are nearest to it, with the page on which each stands.",
    "In the spring the river rises above the meadows, and the mill at its bank has to stand still for weeks.",
    "Whoever wants to change the port sets the variable, restarts the service and looks into the log.",
    "Nine of ten customers came back within a year; the others named the price and the long delivery.",
]


def chunks(count: int) -> list[str]:
    """Texts that the model cuts at about 256 tokens, no two alike."""
    out = []
    for i in range(count):
        parts = [f"{TOPICS[(i + j) % len(TOPICS)]} Note {i * 37 + j}." for j in range(10)]
        out.append(" ".join(parts))
    return out


def prepare() -> None:
    if not PYTHON.exists():
        print("bench-embed: torch and sentence-transformers into .cache/bench", file=sys.stderr)
        venv.create(BENCH / "py", with_pip=True)
    if subprocess.run([PYTHON, "-c", "import sentence_transformers"], capture_output=True).returncode:
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "torch", "sentence-transformers"], check=True)
    subprocess.run(["go", "test", "-c", "-o", str(BENCH / "embed.test"), "./internal/retrieval/embed"], cwd=ROOT, check=True)
    if not MODEL.exists():
        subprocess.run(["go", "run", "./cmd/portico", "model", "fetch", "--to", str(MODELS)],
                       cwd=ROOT, check=True)


class Ours:
    """Our engine behind a pipe: the test binary in its serving mode."""

    def __init__(self, int8: bool) -> None:
        env = dict(os.environ, EMBED_SERVE=str(MODEL), EMBED_INT8="1" if int8 else "", GOMAXPROCS="2")
        self.p = subprocess.Popen([str(BENCH / "embed.test"), "-test.run=^TestServe$"], env=env,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def encode(self, texts: list[str]) -> tuple[float, list]:
        self.p.stdin.write(json.dumps(texts) + "\n")
        self.p.stdin.flush()
        answer = json.loads(self.p.stdout.readline())
        return answer["seconds"], answer["vectors"]


class Torch:
    def __init__(self) -> None:
        code = (
            "import json,sys,time,torch\n"
            "torch.set_num_threads(2)\n"
            "from sentence_transformers import SentenceTransformer\n"
            f"m=SentenceTransformer({str(MODEL)!r},device='cpu')\n"
            "print('ready',flush=True)\n"
            "for line in sys.stdin:\n"
            " t=json.loads(line); s=time.perf_counter()\n"
            " v=m.encode(t,batch_size=32,normalize_embeddings=True,show_progress_bar=False)\n"
            " print(json.dumps({'seconds':time.perf_counter()-s,'vectors':v.tolist()}),flush=True)\n"
        )
        self.p = subprocess.Popen([str(PYTHON), "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        assert self.p.stdout.readline().strip() == "ready"

    encode = Ours.encode


def record(name: str, value: float, unit: str, limit: float, at_least: bool) -> None:
    """Adds a figure to the table at the end of `make bench`."""
    if path := os.environ.get("LOAD_FIGURES"):
        with open(path, "a", encoding="utf-8") as f:
            f.write(f"{name}\t{value:g}\t{unit}\t{limit:g}\t{str(at_least).lower()}\n")


def compare(path: str, torch: Torch) -> None:
    """Sets the server's time for a set of documents beside torch's."""
    measured = json.loads(Path(path).read_text())
    texts, ours = measured["texts"], measured["seconds"]
    sample = texts[:: max(1, len(texts) // 192)]
    seconds = torch.encode(sample)[0] * sum(map(len, texts)) / sum(map(len, sample))
    print(f"{len(texts)} chunks of the documents: {ours:.1f} s by the server, reading and indexing included; "
          f"{seconds:.1f} s by torch, reckoned from {len(sample)} of them")
    record("documents: found by vectors, time / torch's for embedding alone", ours / seconds, "×", 1, False)


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--chunks", type=int, default=32)
    args.add_argument("--texts")
    o = args.parse_args()
    prepare()
    texts = chunks(o.chunks)
    engines = {"torch": Torch(), "fp32": Ours(False), "int8": Ours(True)}
    question = ["how do I change the port of the server"]
    seconds = {k: [] for k in engines}
    asked = {k: [] for k in engines}
    vectors = {}
    for e in engines.values():
        e.encode(texts[:4])
    for _ in range(o.rounds):
        for name, e in engines.items():
            s, vectors[name] = e.encode(texts)
            seconds[name].append(s)
            asked[name] += [e.encode(question)[0] for _ in range(5)]
            time.sleep(0.1)
    for name in engines:
        ratio = statistics.median(t / s for t, s in zip(seconds["torch"], seconds[name]))
        cosine = min(sum(a * b for a, b in zip(x, y)) for x, y in zip(vectors["torch"], vectors[name]))
        print(f"{name:6} {o.chunks / statistics.median(seconds[name]):7.1f} chunks/s  {ratio:5.2f} × torch  "
              f"cosine ≥ {cosine:.6f}  question {statistics.median(asked[name]) * 1e3:6.2f} ms")
        if name != "torch":
            speed, least = (1, 0.999) if name == "fp32" else (1.6, 0.99)
            record(f"embedding, {name}: rate / torch's", ratio, "×", speed, True)
            record(f"embedding, {name}: least cosine with torch", cosine, "", least, True)
            record(f"embedding, {name}: a question of 12 tokens, p50", statistics.median(asked[name]) * 1e3, "ms", 8, False)
    if o.texts:
        compare(o.texts, engines["torch"])
    for e in engines.values():
        e.p.stdin.close()
        e.p.wait()


main()
