"""How fast and how well texts are split and cut into chunks.

    python benchmarks/sentences.py speed BOOK.txt --language ru
    python benchmarks/sentences.py cases CASES.json      # rows of [language, paragraph, sentences]
    python benchmarks/sentences.py edits BOOK.txt --language ru --times 4000
    python benchmarks/sentences.py read BOOK.txt --language ru    # random boundaries, for the eye

Paragraphs are the lines of BOOK.txt, or what blank lines part if it is hard-wrapped (--wrapped).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

from tts_book.model import Book, Chapter, Origin, Source
from tts_book.text.chunker import chunk_chapter, plan_book
from tts_book.text.sentences import Splitter

Paragraphs = list[list[str]]


def paragraphs(path: Path, wrapped: bool) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if wrapped:
        text = re.sub(r"(?<!\n)\n(?!\n)", " ", text)
    return [line.strip() for line in text.split("\n") if line.strip()]


def chapter(text: str) -> Chapter:
    return Chapter(1, "", text, Origin(Source("benchmark"), ()))


def speed(args: argparse.Namespace) -> str:
    """CPU seconds for the sentences alone and for the whole plan, and the sizes of the chunks."""
    lines = paragraphs(args.path, args.wrapped)
    splitter = Splitter(args.language, "\n\n".join(lines))
    splitter.spans("It is so. It is.")
    started = time.process_time()
    sentences = sum(len(splitter.spans(line)) for line in lines)
    split_s = time.process_time() - started
    book = Book("", args.language, (chapter("\n\n".join(lines)),))
    started = time.process_time()
    made = plan_book(book)
    plan_s = time.process_time() - started
    sizes = sorted(len(chunk.text) for chunk in made.chunks)
    parts = [
        sizes[min(len(sizes) - 1, len(sizes) * at // 100)] for at in (0, 5, 25, 50, 75, 95, 100)
    ]
    return (
        f"{sum(map(len, lines)):,} characters, {sentences:,} sentences in {split_s:.2f} s of CPU; "
        f"plan {plan_s:.2f} s, {len(sizes):,} chunks\n"
        f"sizes at 0, 5, 25, 50, 75, 95, 100 %: {parts}; "
        f"below 400: {100 * sum(size < 400 for size in sizes) / len(sizes):.1f} %"
    )


def cases(args: argparse.Namespace) -> str:
    """How many paragraphs are split exactly as drawn, and which are not."""
    rows = json.loads(args.path.read_text(encoding="utf-8"))
    wrong = []
    for language, paragraph, expected in rows:
        got = [paragraph[a:b] for a, b in Splitter(language).spans(paragraph)]
        if got != expected:
            wrong.append(f"{language}  {' ‖ '.join(got)}")
    return "\n".join([f"{len(rows) - len(wrong)} of {len(rows)} right", *wrong])


def edits(args: argparse.Namespace) -> str:
    """How many chunks become new when one random sentence is changed, put in or taken out."""
    chance = random.Random(args.seed)
    splitter = Splitter(args.language)
    lines = paragraphs(args.path, args.wrapped)
    others = [line[a:b] for line in chance.sample(lines, 300) for a, b in splitter.spans(line)]
    new: Counter[int] = Counter()
    for _ in range(max(1, args.times // 40)):
        excerpt = _excerpt(chance, lines, splitter)
        before = _spoken(excerpt, splitter, args.language)
        for _ in range(40):
            after = _spoken(_edited(chance, excerpt, others), splitter, args.language)
            new[(after - before).total()] += 1
    return "new chunks: edits\n" + "\n".join(f"{n}: {new[n]}" for n in sorted(new))


def _excerpt(chance: random.Random, lines: list[str], splitter: Splitter) -> Paragraphs:
    at, size, taken = chance.randrange(len(lines)), 0, []
    while at < len(lines) and size < 12_000:
        taken.append([lines[at][a:b] for a, b in splitter.spans(lines[at])])
        size += len(lines[at])
        at += 1
    return taken


def _edited(chance: random.Random, excerpt: Paragraphs, others: list[str]) -> Paragraphs:
    copy = [list(paragraph) for paragraph in excerpt]
    paragraph = chance.choice(copy)
    at = chance.randrange(len(paragraph))
    paragraph[at : at + chance.randrange(2)] = chance.choice(([], [chance.choice(others)]))
    return copy


def _spoken(excerpt: Paragraphs, splitter: Splitter, language: str) -> Counter[str]:
    text = "\n\n".join(" ".join(paragraph) for paragraph in excerpt if paragraph)
    return Counter(chunk.spoken for chunk in chunk_chapter(chapter(text), splitter, language))


def read(args: argparse.Namespace) -> str:
    """Random boundaries with what stands around them."""
    chance = random.Random(args.seed)
    splitter = Splitter(args.language)
    found = [
        f"{line[max(0, stop - 50) : stop]} ‖ {line[stop : stop + 50].strip()}"
        for line in paragraphs(args.path, args.wrapped)
        for _, stop in splitter.spans(line)[:-1]
    ]
    return "\n".join(chance.sample(found, min(args.times, len(found))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    jobs = {"speed": speed, "cases": cases, "edits": edits, "read": read}
    parser.add_argument("job", choices=jobs)
    parser.add_argument("path", type=Path)
    parser.add_argument("--language", default="ru")
    parser.add_argument("--wrapped", action="store_true")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    sys.stdout.write(jobs[args.job](args) + "\n")


if __name__ == "__main__":
    main()
