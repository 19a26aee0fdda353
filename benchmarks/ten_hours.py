"""A ten-hour book through the online backend, against the simulated service:

    python benchmarks/ten_hours.py [--hours 1]

The service (tests/backends/edge, in a process of its own) takes 0.35 s to connect, sends its
first sound 0.3 s after the request and the rest at 90 times real time. The whole program runs:
reading, planning, speaking at most 4 at once, checking, cache, stitching. The ideal time is that
of the greedy schedule: the turns as the service itself measured them (from the request to the last
message), one after the other on the first free of 2 slots, which the limiter widens to 4 with the
first whole replies. From the first connection to the end the program may take 1.05 times as long
(exit 1 where it takes longer). What the turns should have been, on a machine that does nothing
else, is shown beside them. CPU time and peak memory are those of the
program's process alone. Then a tenth of the book goes through a plain loop over
`edge_tts.Communicate`, a paragraph after another, in one more process; its figures are shown times
ten (memory as it is).
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import os
import random
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
SLOTS_AT_FIRST = 2
AT_ONCE, CONNECT_S, FIRST_SOUND_S, TIMES_REAL, BYTES_PER_S = 4, 0.35, 0.3, 90.0, 6_000
MOST_RATIO = 1.05
# 15 characters a second, as Russian voices read.
CHARACTERS_PER_HOUR, CHAPTER_CHARACTERS, PARAGRAPH_CHARACTERS = 54_000, 27_000, 1_100
LOOP_SHARE = 10
VOICE = "ru-RU-SvetlanaNeural"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took, and what the service gave it meanwhile: `turns_s` in the order of their
    requests; from the first connection to the process's end it took `speaking_s`."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    requests: int
    sound_s: float
    turns_s: list[float]
    speaking_s: float

    @property
    def ideal_s(self) -> float:
        """What the turns take on the slots of the limiter, without any gap."""
        return CONNECT_S + greedy_s(self.turns_s)

    @property
    def planned_s(self) -> float:
        """The same, had nothing else used the processors."""
        turn_s = FIRST_SOUND_S + self.sound_s / TIMES_REAL / self.requests
        return CONNECT_S + greedy_s([turn_s] * self.requests)


def greedy_s(turns_s: list[float]) -> float:
    """The end of the last turn, each on the first free slot; every end adds one, up to AT_ONCE."""
    free_s, end_s = [0.0] * SLOTS_AT_FIRST, 0.0
    slots = SLOTS_AT_FIRST
    for turn_s in turns_s:
        start_s = heapq.heappop(free_s)
        end_s = max(end_s, start_s + turn_s)
        heapq.heappush(free_s, start_s + turn_s)
        if slots < AT_ONCE:
            slots += 1
            heapq.heappush(free_s, start_s + turn_s)
    return end_s


def book(hours: float) -> str:
    """Chapters of made-up words in sentences and paragraphs, the same every time."""
    chance = random.Random(10)
    syllables = [a + b for a in "бвгдклмнпрст" for b in "аеиоуя"]
    words = ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(400)]
    parts: list[str] = []
    size = chapter = 0
    while size < hours * CHARACTERS_PER_HOUR:
        if size >= chapter * CHAPTER_CHARACTERS:
            chapter += 1
            parts.append(f"Глава {chapter}")
        parts.append(_paragraph(chance, words))
        size += len(parts[-1])
    return "\n\n".join(parts) + "\n"


def _paragraph(chance: random.Random, words: list[str]) -> str:
    sentences: list[str] = []
    while sum(map(len, sentences)) < PARAGRAPH_CHARACTERS:
        said = chance.choices(words, k=chance.randint(9, 30))
        said[len(said) // 2] += ","
        sentences.append(" ".join(said).capitalize() + ".")
    return " ".join(sentences)


@contextmanager
def service() -> Iterator[dict[str, str]]:
    """The simulated service; the environment in which it is found."""
    program = [sys.executable, "-m", "tests.backends.edge.simulator", "--real"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        assert running.stdout is not None
        try:
            lines = [running.stdout.readline() for _ in range(3)]
            yield dict(_variable(line) for line in lines)
        finally:
            running.terminate()


def _variable(line: str) -> tuple[str, str]:
    name, _, value = line.removeprefix("export ").strip().partition("=")
    return name, value.strip("'")


def figures(environ: dict[str, str]) -> dict[str, Any]:
    """What the service has counted so far."""
    url = f"https://{urlsplit(environ['TTS_BOOK_EDGE_URL']).netloc}/statistics"
    trusting = ssl.create_default_context(cafile=environ["SSL_CERT_FILE"])
    with urllib.request.urlopen(url, context=trusting) as answer:
        statistics: dict[str, Any] = json.load(answer)
    return statistics


def cost(arguments: list[str], environ: dict[str, str], folder: Path) -> Cost:
    """Runs Python with these arguments to its end."""
    before = figures(environ)
    began_s = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - began_s
    if running.returncode:
        raise SystemExit(f"{' '.join(arguments[:3])} ended with {running.returncode}")
    after, ended_s = figures(environ), time.monotonic()
    turns = sorted(after["turns_s"][len(before["turns_s"]) :])
    first_s = after["starts_s"][len(before["starts_s"])]
    peak = used.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    return Cost(
        wall_s,
        used.ru_utime + used.ru_stime,
        peak,
        after["turns"] - before["turns"],
        (after["sound_bytes"] - before["sound_bytes"]) / BYTES_PER_S,
        [stop_s - start_s for start_s, stop_s in turns],
        ended_s - first_s,  # both clocks are the system's monotonic one
    )


async def loop(text: str) -> None:
    """What a script of ten lines does: a paragraph after another, glued to one file."""
    from edge_tts import communicate, constants

    token = constants.WSS_URL.partition("?")[2]
    vars(communicate)["WSS_URL"] = f"{os.environ['TTS_BOOK_EDGE_URL']}?{token}"
    vars(communicate)["_SSL_CTX"] = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    with Path("loop.mp3").open("wb") as out:  # noqa: ASYNC230 - as such a script does
        for paragraph in text.split("\n\n"):
            async for piece in communicate.Communicate(paragraph, VOICE).stream():
                if piece["type"] == "audio":
                    out.write(piece["data"])


def main() -> int:
    """Measures both and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--loop", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        asyncio.run(loop(Path(options.loop).read_text("utf-8")))
        return 0
    with tempfile.TemporaryDirectory() as name, service() as environ:
        return _measure(Path(name), environ, options.hours)


def _measure(folder: Path, environ: dict[str, str], hours: float) -> int:
    text = book(hours)
    (folder / "book.txt").write_text(text, "utf-8")
    (folder / "tenth.txt").write_text(text[: len(text) // LOOP_SHARE], "utf-8")
    program = ["-m", "tts_book", "convert", "book.txt", "--language", "ru", "--backend", "edge"]
    program += ["--voice", VOICE, "--cache", "cache", "-o", "out", "-q"]
    ours = cost(program, environ, folder)
    ideal_s, statistics = ours.ideal_s, figures(environ)
    at_most = statistics["most_turns"]
    _say(
        f"{len(text):,} characters, {ours.sound_s / 3_600:.2f} h of sound, {ours.requests} "
        f"requests, at most {at_most} at once on at most {statistics['most_open']} connections"
    )
    _row("ideal", ideal_s, 1, None)
    _row("ideal, undisturbed", ours.planned_s, ours.planned_s / ideal_s, None)
    _row("tts-book, from the first request", ours.speaking_s, ours.speaking_s / ideal_s, None)
    _row("tts-book convert", ours.wall_s, ours.wall_s / ideal_s, ours)
    loop = cost([__file__, "--loop", "tenth.txt"], environ, folder)
    scaled_s = loop.wall_s * LOOP_SHARE
    _row("edge_tts.Communicate × 10", scaled_s, scaled_s / ideal_s, loop, LOOP_SHARE)
    return 0 if ours.speaking_s <= MOST_RATIO * ideal_s and at_most <= AT_ONCE else 1


def _row(name: str, wall_s: float, ratio: float, used: Cost | None, times: int = 1) -> None:
    cpu = f"{used.cpu_s * times:>7.1f} CPU s {used.peak_mib:>5.0f} MiB" if used else ""
    _say(f"{name:<32} {wall_s:>8.1f} s {ratio:>6.2f} × ideal {cpu}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
