"""Reads and plans made-up texts of every kind, and looks for what must never be:

    python benchmarks/texts.py [--texts 10000] [--seed N] [--only K,K]

a traceback, a character that is lost or told twice, a chunk beyond a limit, another plan for the
same text (also in a process of its own, with another PYTHONHASHSEED), parts that do not make up
their chunk, two chapters with one file. Texts are made from a seed: prose, dialogue, headings,
lists, verse, tables in two dozen languages, strewn with whatever does harm; as plain text,
Markdown, HTML, FB2 and EPUB; in many encodings; some damaged, some with a pronounce.toml. A text
that cannot be read must be refused with one line, and only a damaged or senseless one may be.

Prints a table and each failure with what repeats it; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

import texts_formats as formats
from texts_checks import Case, digest, read, wrong
from texts_kinds import KINDS, RARE, Part
from texts_words import TONGUES, Tongue

from tts_book.errors import UserError
from tts_book.readers import ReadOptions
from tts_book.text import chunker

# Kinds in which there may be too much that is no text, or a script that tells no language.
_SENSELESS = ("controls", "surrogates", "any characters", "mixed")
_FORMATS = {"txt": 55, "md": 15, "html": 10, "fb2": 10, "epub": 10}
_TEXTUAL: dict[str, Callable[[random.Random, Iterable[Part], str], str]] = {
    "txt": formats.plain,
    "md": formats.markdown,
    "html": formats.html,
}
_DAMAGED, _TOLD_LANGUAGE, _SPELT = 0.15, 0.8, 0.2
_AGAIN_EACH, _ELSEWHERE_EACH = 10, 25
_TIMED_FROM = 100_000  # characters from which a pace is worth telling


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one text; `cpu_s` is what reading and planning it took."""

    number: int
    kind: str
    format: str
    characters: int
    chunks: int
    cpu_s: float
    refused: str
    failures: tuple[str, ...]
    digest: str


def made(seed: int, number: int) -> Case:
    """The text of that number, the same in every process."""
    chance = random.Random(f"{seed}/{number}")
    shares = [
        RARE.get(kind, (1_000 - sum(RARE.values())) / (len(KINDS) - len(RARE))) for kind in KINDS
    ]
    kind = chance.choices(list(KINDS), shares)[0]
    tongue = chance.choice(TONGUES)
    parts = KINDS[kind](chance, tongue)
    suffix = chance.choices(list(_FORMATS), list(_FORMATS.values()))[0]
    data, encoding, told = _file(chance, parts, suffix, tongue)
    damaged = chance.random() < _DAMAGED
    if damaged:
        data = formats.damaged(chance, data)
    named = not told and chance.random() < 0.7
    options = ReadOptions(
        encoding=encoding if named else "",
        language=tongue.code if chance.random() < _TOLD_LANGUAGE else "",
        split=chance.choice(("auto", "auto", "headings", "none")),
        everything=chance.random() < 0.1,
        notes=_notes(chance),
        chapters=r"\w+ \d+" if chance.random() < 0.03 else "",
    )
    told = told or named
    speaks = (
        told and bool(options.language) and not (damaged or options.chapters or kind in _SENSELESS)
    )
    return Case(kind, suffix, f"a.{suffix}", data, options, _spellings(chance, tongue), speaks)


def _notes(chance: random.Random) -> Literal["skip", "inline", "end"]:
    ways: tuple[Literal["skip", "inline", "end"], ...] = ("skip", "skip", "inline", "end")
    return chance.choice(ways)


def _file(
    chance: random.Random, parts: list[Part], suffix: str, tongue: Tongue
) -> tuple[bytes, str, bool]:
    """Bytes, their encoding, and whether they say which it is."""
    if suffix == "epub":
        return formats.epub(chance, parts, tongue.code), "", True
    if suffix == "fb2":
        return formats.fb2(chance, parts, tongue.code).encode("utf-8", "surrogatepass"), "", True
    return formats.encoded(chance, _TEXTUAL[suffix](chance, parts, tongue.code), tongue.code)


def _spellings(chance: random.Random, tongue: Tongue) -> dict[str, str]:
    if chance.random() > _SPELT:
        return {}
    found = chance.choices(
        (*tongue.words, "5", "%", "C++", "т. е.", "&", "字"), k=chance.randint(1, 6)
    )
    longest = chance.choice((1, 1, 6, 60))
    return {word: " ".join(chance.choices(tongue.words, k=longest)) for word in found}


def tried(seed: int, number: int) -> Outcome:
    """Everything with one text."""
    case = made(seed, number)
    began_s = time.process_time()
    refused, failures, characters, chunks, known = "", [], 0, 0, ""
    try:
        book, text = read(case)
        plan = chunker.plan_book(book)
        took_s = time.process_time() - began_s
        characters, chunks, known = len(text), len(plan.chunks), digest(plan)
        thorough = number % _AGAIN_EACH == 0
        failures = list(wrong(case, book, text, plan, thorough=thorough))
        if thorough and digest(chunker.plan_book(read(case)[0])) != known:
            failures.append("the same text has another plan")
    except UserError as error:
        took_s = time.process_time() - began_s
        refused = str(error)
        if case.speaks or "\n" in refused:
            failures.append(f"refused: {refused}")
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        took_s = time.process_time() - began_s
        failures.append(traceback.format_exc())
    return Outcome(
        number, case.kind, case.format, characters, chunks, took_s, refused, tuple(failures), known
    )


def elsewhere(seed: int, outcomes: list[Outcome]) -> Iterator[str]:
    """What has another plan in a process of its own, with other hashes."""
    chosen = {str(o.number): o.digest for o in outcomes[::_ELSEWHERE_EACH] if o.digest}
    if not chosen:
        return
    told = subprocess.run(
        [sys.executable, __file__, "--seed", str(seed), "--only", ",".join(chosen), "--digests"],
        env={**os.environ, "PYTHONHASHSEED": str(seed % 1_000 + 1)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    found = dict(line.split() for line in told.stdout.splitlines())
    for number, known in chosen.items():
        if found.get(number) != known:
            yield f"--only {number}: another plan in another process"
    print(f"{len(chosen)} of them planned in another process, too")


def table(outcomes: list[Outcome], by: str) -> Iterator[str]:
    """A line for each kind or format."""
    rows: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        rows[getattr(outcome, by)].append(outcome)
    heads = (
        f"{'texts':>7}{'refused':>9}{'characters':>13}{'chunks':>9}{'per CPU s':>11}{'failed':>8}"
    )
    yield f"{by:<18}{heads}"
    for name, found in (*sorted(rows.items()), ("all", outcomes)):
        yield (
            f"{name:<18}{len(found):>7}{sum(bool(o.refused) for o in found):>9}"
            f"{sum(o.characters for o in found):>13,}{sum(o.chunks for o in found):>9,}"
            f"{len(found) / sum(o.cpu_s for o in found):>11.1f}"
            f"{sum(bool(o.failures) for o in found):>8}"
        )


def main() -> int:
    """Tries them on all cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--only", default="", help="numbers of texts, with commas between")
    parser.add_argument("--digests", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    numbers = list(map(int, options.only.split(","))) if options.only else range(options.texts)
    if options.digests:
        for number in numbers:
            print(number, digest(chunker.plan_book(read(made(options.seed, number))[0])))
        return 0
    print(f"--seed {options.seed}")
    return _try_all(options.seed, numbers)


def _try_all(seed: int, numbers: Iterable[int]) -> int:
    began_s = time.perf_counter()
    outcomes = []
    with ProcessPoolExecutor() as pool:
        for outcome in pool.map(partial(tried, seed), numbers, chunksize=20):
            outcomes.append(outcome)
            for what in outcome.failures:
                where = f"--seed {seed} --only {outcome.number} ({outcome.kind}, {outcome.format})"
                print(f"WRONG: {where}: {what}", flush=True)
    print("\n".join([*table(outcomes, "kind"), "", *table(outcomes, "format"), ""]))
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    for what in elsewhere(seed, outcomes):
        print(f"WRONG: --seed {seed} {what}")
        failed += 1
    slow = max(outcomes, key=lambda o: o.cpu_s / max(o.characters, _TIMED_FROM))
    print(
        f"the slowest for its size: --only {slow.number} ({slow.kind}, {slow.format}), "
        f"{slow.characters:,} characters in {slow.cpu_s:.2f} CPU s"
    )
    took_s = time.perf_counter() - began_s
    print(f"{failed} failures in {len(outcomes)} texts, after {took_s:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
