"""A run of the whole program that is watched through its events, and killed at a moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "tts_book")
_NARRATORS = {"en": "en-US-AriaNeural", "ru": "ru-RU-DmitryNeural"}
SPOKEN = {
    language: ("book.txt", "--backend", "edge", "--voice", voice, "--language", language)
    for language, voice in _NARRATORS.items()
}
_RUN_MOST_S = 120


class Phase(StrEnum):
    """What a run is doing, as its events tell."""

    PLANNING = "planning"
    SPEAKING = "speaking"
    STITCHING = "stitching"
    BINDING = "whole-book encoding"
    ENDING = "ending"


class Run:
    """A running program: when each of its phases began, which chunks it told as done."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], arguments: Sequence[str], *, binds: bool
    ) -> None:
        self.began_s = {Phase.PLANNING: time.perf_counter()}
        self.first_done_s = 0.0
        self.done: set[tuple[int, int]] = set()
        self.settles = False
        self._left = {"ChunkDone": 0, "ChapterDone": 0}
        self._after = Phase.BINDING if binds else Phase.ENDING
        self._changed = threading.Condition()
        self._errors = folder / "errors.txt"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [*PROGRAM, "convert", *arguments, "--json"],
                cwd=folder,
                env={**os.environ, **environ},
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def phase(self) -> Phase:
        """The one that began last."""
        return list(self.began_s)[-1]

    def kill(self, phase: Phase, after_s: float) -> int:
        """Kills it so long after that phase began; the exit code, 0 or more if it was too late."""
        with self._changed:
            while phase not in self.began_s and self._reader.is_alive():
                self._changed.wait(0.05)
        if phase in self.began_s:
            time.sleep(max(0.0, self.began_s[phase] + after_s - time.perf_counter()))
        self._process.kill()
        return self.end()

    def end(self) -> int:
        """Waits for the end; the exit code."""
        code = self._process.wait(_RUN_MOST_S)
        self._ended_s = time.perf_counter()
        self._reader.join()
        return code

    @property
    def told(self) -> str:
        """What it had to say beside its events."""
        return self._errors.read_text("utf-8")

    def lengths_s(self) -> dict[Phase, float]:
        """How long each phase took, once the run is over."""
        edges = [*self.began_s.values(), self._ended_s]
        return {p: edges[n + 1] - edges[n] for n, p in enumerate(self.began_s)}

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as out:
            for line in out:
                if line.endswith(b"\n"):  # else a kill has cut it
                    self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "JobStarted":
            self._left = {"ChunkDone": event["chunks"], "ChapterDone": event["chapters"]}
            self._begin(Phase.SPEAKING)
        elif kind in self._left:
            self._left[kind] -= 1
            if kind == "ChunkDone":
                self.first_done_s = self.first_done_s or time.perf_counter()
                self.done.add((event["chapter"], event["chunk"]))
            if not any(self._left.values()):
                self._begin(self._after)
            elif not self._left["ChunkDone"]:
                self._begin(Phase.STITCHING)
        elif kind == "BookDone":
            self._begin(Phase.ENDING)
        self.settles = kind == "GainSettled"

    def _begin(self, phase: Phase) -> None:
        with self._changed:
            self.began_s.setdefault(phase, time.perf_counter())
            self._changed.notify_all()
