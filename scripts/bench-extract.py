#!/usr/bin/env python3
"""Measures how fast 100 pages of PDF are read in a warm child, beside pypdf on
the same file, turn by turn; and what the first PDF on a machine takes.

    make build testenv && .cache/testenv/py/bin/python scripts/bench-extract.py
"""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import pypdf

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
PORTICO = os.environ.get("PORTICO", "bin/portico")


def ours(binary: str, path: str) -> float:
    out = subprocess.run([binary, "-test.run", "^$", "-test.bench", "^BenchmarkPDF$", "-test.benchtime", "5x", "-pdf", path],
                         check=True, capture_output=True, text=True).stdout
    return float(re.search(r"([\d.]+) ns/op", out).group(1)) / 1e9


def theirs(path: str) -> float:
    start = time.perf_counter()
    "".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
    return time.perf_counter() - start


def first(path: str, folder: str) -> float:
    start = time.perf_counter()
    subprocess.run([PORTICO, "extract", path], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "XDG_CACHE_HOME": folder})
    return time.perf_counter() - start


def main() -> int:
    with tempfile.TemporaryDirectory() as work:
        binary, path = f"{work}/worker.test", f"{work}/a.pdf"
        subprocess.run(["go", "test", "-c", "-o", binary, "./internal/retrieval/extract/worker"], check=True)
        pairs = [(ours(binary, path), theirs(path)) for _ in range(ROUNDS)]
        ratios = [b / a for a, b in pairs]
        if figures := os.environ.get("LOAD_FIGURES"):
            with open(figures, "a", encoding="utf-8") as f:
                f.write(f"reading PDFs: pages per second / pypdf's\t{statistics.median(ratios):g}\t×\t2\ttrue\n")
        print(f"100 pages, warm child  {statistics.median(a for a, _ in pairs):7.3f} s")
        print(f"100 pages, pypdf       {statistics.median(b for _, b in pairs):7.3f} s")
        print(f"pypdf / ours           {statistics.median(ratios):7.2f}   (rounds: {', '.join(f'{r:.2f}' for r in ratios)}; the goal is 2)")
        if os.path.exists(PORTICO):
            print(f"first PDF ever         {first(path, work):7.3f} s   (the goal is 10 s)")
            print(f"next one, new process  {first(path, work):7.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
