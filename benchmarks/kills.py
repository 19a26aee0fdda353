"""Kills a run of the whole program again and again (SIGKILL), then lets one go on to its end:

    python benchmarks/kills.py [--kills 200] [--seed N] [--cast en|ru]

One book goes through the online backend, against the simulated service (tests/backends/edge,
in a thread), into chapters, an M4B and captions; some runs want less. Moments are drawn by phase:
first a phase that the run will reach, then a time between nothing and what the phase takes
undisturbed; while chunks are unspoken, so short that they last for half of the kills. Once all is
spoken, some runs are let go, so that others find a finished book. The seed is printed; as the
moments are times of a real machine, it repeats the draws, not every race.

With --cast the book is talk, read by three voices. The first replies of each wait for one another
until its habits are known, so that more may be answered in full and not yet kept.

What must hold (exit 1 where it does not):

- after each kill, under final names stands only what an undisturbed run writes (see
  `kills_checks`), every entry of the cache is whole, and every chunk that was told as done has one;
- no chunk is asked for that has an entry, and none twice in one run: so a chunk is spoken again
  only if it was in flight at a kill. At most `WORKERS` are being answered then, and at most
  `WORKERS` more are answered in full and not yet kept;
- the last run ends with 0, its files have the bytes of an undisturbed run, and nothing unfinished
  is left: in the cache, which several computers may share, once it is a day old.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import kills_book
import kills_checks
from kills_run import PROGRAM, SPOKEN, Phase, Run
from kills_service import Service

from tts_book.backends.edge.voice_habits import MOST_REPLIES
from tts_book.synthesis.chunk_cache import ChunkCache

WORKERS = 4
_DAY_S = 25 * 3_600
_CACHE = ("--cache", "cache")
_ALWAYS = (*_CACHE, "-o", "out", "--cover", "cover.png", "--workers", str(WORKERS))
_ALL = ("--format", "mp3,m4b", "--captions", "srt,vtt")
_WISHES = (_ALL, _ALL, _ALL[:2], ("--format", "mp3"))
_OTHER_WISH, _LET_GO = 0.4, 0.1
_TOLD_EACH = 25
# How often each phase is drawn while chunks are unspoken, and afterwards.
_AT_FIRST = {Phase.PLANNING: 15, Phase.SPEAKING: 85}
_THEN = {
    Phase.PLANNING: 15,
    Phase.SPEAKING: 10,
    Phase.STITCHING: 20,
    Phase.BINDING: 35,
    Phase.ENDING: 20,
}


@dataclass
class Tally:
    """What has been seen."""

    kills: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[int] = field(default_factory=Counter)
    unkept: Counter[int] = field(default_factory=Counter)
    other_gain: int = 0
    wholes: int = 0
    ended: int = 0


class Trial:
    """One book, killed many times."""

    def __init__(
        self, folder: Path, service: Service, kills: int, seed: int, cast: str = ""
    ) -> None:
        self._folder, self._service, self._kills = folder, service, kills
        self._chance = random.Random(seed)
        self._out, self._whole = folder / "out", folder / "whole"
        self._home, self._cache = folder / "home", ChunkCache(folder / "cache")
        self._home.mkdir()
        homes = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR")
        self._environ = {**service.environ, **dict.fromkeys(homes, str(self._home))}
        text = kills_book.talk(cast) if cast else kills_book.text()
        (folder / "book.txt").write_text(text, "utf-8")
        if cast:
            (folder / "cast.toml").write_text(kills_book.CASTS[cast], "utf-8")
        self._spoken = SPOKEN[cast or "en"]
        self._most_unkept = WORKERS + ((3 if cast else 1) * (MOST_REPLIES - 1))
        (folder / "voices.toml").write_text(kills_book.voices(), "utf-8")
        (folder / "cover.png").write_bytes(kills_book.cover())
        self._wish: tuple[str, ...] = _ALL
        self.tally = Tally()

    def prepare(self) -> None:
        """Runs twice undisturbed, for the files and for the times; leaves nothing but those."""
        self._plan()
        first = self._undisturbed()
        self._fresh_s = first.lengths_s()
        self._first_s = first.first_done_s - first.began_s[Phase.SPEAKING]
        self._again_s = self._undisturbed().lengths_s()
        shutil.move(self._out, self._whole)
        shutil.rmtree(self._cache.folder)
        self._asked_before = len(self._service.asked)
        for name, lengths in (("a fresh run", self._fresh_s), ("all kept", self._again_s)):
            print(f"{name:<12}", ", ".join(f"{p} {s:.2f} s" for p, s in lengths.items()))

    def _plan(self) -> None:
        """Learns which chunks there are."""
        told = self._ran("plan", *self._spoken, *_CACHE, "--json")
        if told.returncode:
            raise SystemExit(told.stderr)
        lines = [json.loads(line) for line in told.stdout.splitlines()]
        self._keys = {line["key"]: str(line["spoken"]) for line in lines}
        self._texts = {(line["chapter"], line["chunk"]): str(line["spoken"]) for line in lines}
        print(f"{len(self._texts)} chunks with {len(self._keys)} different texts", flush=True)

    def _ran(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self._folder,
            env={**os.environ, **self._environ},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def _started(self) -> Run:
        binds = "m4b" in self._wish[1]
        return Run(self._folder, self._environ, (*self._spoken, *_ALWAYS, *self._wish), binds=binds)

    def _undisturbed(self) -> Run:
        run = self._started()
        if run.end():
            raise SystemExit(run.told)
        return run

    def carry_out(self) -> Iterator[str]:
        """Kills as often as asked, then runs to the end; yields what is wrong."""
        kept: set[str] = set()
        while self.tally.kills.total() < self._kills:
            unspoken = len(self._keys) - len(kept)
            if self._chance.random() < _OTHER_WISH:
                self._wish = self._chance.choice(_WISHES)
            phase, after_s = self._moment(unspoken)
            asked, answered = len(self._service.asked), len(self._service.answered)
            run = self._started()
            go = not unspoken and self._chance.random() < _LET_GO
            code = run.end() if go else run.kill(phase, after_s)
            self._service.settle()
            now, wrong = kills_checks.stored(self._cache, self._keys)
            where = self._where(run) if code < 0 else f"after its end with {code}"
            wrong += kills_checks.wrong_after_kill(self._out, self._whole)
            wrong += self._wrong_requests(
                run, kept, now, self._service.asked[asked:], self._service.answered[answered:]
            )
            if code > 0:
                wrong.append(run.told)
            kept = now
            if code == 0:  # the kill came too late, or it was let go: what is usual has changed
                for each, length_s in run.lengths_s().items():
                    self._again_s[each] = (self._again_s.get(each, length_s) + length_s) / 2
            self._note(code, where)
            number = self.tally.kills.total()
            if code < 0 and number % _TOLD_EACH == 0:
                print(f"{number} kills", flush=True)
            yield from (f"kill {number}, {where}, {after_s:.3f} s: {what}" for what in wrong)
        yield from self._to_the_end(kept)

    def _moment(self, unspoken: int) -> tuple[Phase, float]:
        """When to kill: how long after the beginning of which phase."""
        shares = _AT_FIRST if unspoken else _THEN
        phase = self._chance.choices(list(shares), list(shares.values()))[0]
        if phase is Phase.BINDING and "m4b" not in self._wish[1]:
            phase = Phase.ENDING
        most_s = self._again_s[phase]
        if unspoken and phase is Phase.SPEAKING:
            runs = max(1.0, self._kills / 2 - self.tally.kills.total())
            share = min(1.0, 2 * unspoken / len(self._keys) / runs)
            most_s = self._first_s + share * self._fresh_s[Phase.SPEAKING]
        return phase, self._chance.uniform(0.0, most_s)

    def _where(self, run: Run) -> str:
        """The phase at a kill; before a book is encoded and after, chapters may be written again
        whose gain was not the book's."""
        encodes = any(self._out.glob(".*/*.m4b")) or any(self._out.glob(".*/*.part"))
        return "settling the gain" if run.settles and not encodes else str(run.phase)

    def _note(self, code: int, where: str) -> None:
        if code < 0:
            self.tally.kills[where] += 1
        else:
            self.tally.ended += 1
        self.tally.other_gain += kills_checks.other_gain(self._out, self._whole)
        self.tally.wholes += (self._out / "book.m4b").exists()

    def _wrong_requests(
        self, run: Run, before: set[str], now: set[str], asked: list[str], answered: list[str]
    ) -> list[str]:
        """What was asked for that should not have been; `before` and `now` are kept."""
        wrong = [f'"{text}" was asked for although it was kept' for text in before & set(asked)]
        wrong += [f'"{text}" was kept and is gone' for text in before - now]
        wrong += [
            f'"{text}" was asked for {n} times' for text, n in Counter(asked).items() if n > 1
        ]
        told = {self._texts[chunk] for chunk in run.done}
        wrong += [f'"{text}" was told as done and is not kept' for text in told - now]
        unkept = set(answered) - now
        unanswered = set(asked) - set(answered) - now
        self.tally.unkept[len(unkept)] += 1
        self.tally.unanswered[len(unanswered)] += 1
        if len(unkept) > self._most_unkept:
            wrong.append(f"{len(unkept)} answers were whole and not kept")
        if len(unanswered) > WORKERS:
            wrong.append(f"{len(unanswered)} chunks were asked for at once")
        return wrong

    def _to_the_end(self, kept: set[str]) -> Iterator[str]:
        left = kills_checks.unfinished(self._cache.folder)
        for path in left:
            os.utime(path, (time.time() - _DAY_S, time.time() - _DAY_S))
        print(f"{len(left)} unfinished files in the cache, now a day old")
        before = len(self._service.asked)
        ended = self._ran("convert", *self._spoken, *_ALWAYS, *_ALL, "-q")
        if ended.returncode or ended.stderr:
            yield f"the last run ended with {ended.returncode}: {ended.stderr}"
        asked = self._service.asked[before:]
        yield from (f'"{t}" was asked for although it was kept' for t in kept & set(asked))
        yield from kills_checks.wrong_at_end(self._out, self._whole)
        left = [*kills_checks.unfinished(self._out), *kills_checks.unfinished(self._cache.folder)]
        yield from (f"{path} is left over" for path in (*left, *self._home.rglob("*")))
        now, wrong = kills_checks.stored(self._cache, self._keys)
        yield from wrong
        yield from (f'"{text}" is not kept' for text in set(self._keys.values()) - now)

    def table(self) -> Iterator[str]:
        """The figures."""
        tally = self.tally
        yield f"{tally.kills.total()} kills, {tally.ended} runs came to their end"
        order = [*map(str, Phase), "settling the gain"]
        yield from (f"  {name:<20} {tally.kills[name]:>4}" for name in order)
        asked = Counter(self._service.asked[self._asked_before :])
        yield _row("requests per text", Counter(asked.values()))
        yield _row("being answered at a kill", tally.unanswered)
        yield _row("answered in full and not kept at a kill", tally.unkept)
        yield f"chapters seen with another gain than in the end: {tally.other_gain}"
        yield f"times that the M4B was there after a kill: {tally.wholes}"


def _row(name: str, histogram: Counter[int]) -> str:
    return f"{name}: " + ", ".join(f"{n} × {histogram[n]}" for n in sorted(histogram))


def main() -> int:
    """Carries out one trial and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--cast", choices=list(kills_book.CASTS), default="")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    print(f"--seed {options.seed}, in {folder}")
    began_s = time.perf_counter()
    with Service(folder / "trusted.pem") as service:
        trial = Trial(folder, service, options.kills, options.seed, options.cast)
        trial.prepare()
        wrong = 0
        for what in trial.carry_out():
            print(f"WRONG: {what}", flush=True)
            wrong += 1
    print("\n".join(trial.table()))
    print(f"{wrong} things are wrong, after {time.perf_counter() - began_s:.0f} s")
    if not wrong:
        shutil.rmtree(folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
