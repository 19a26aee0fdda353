"""Compares the chunks that two versions of the program make of the same books:

    python benchmarks/same_chunks.py OLD FILE...

OLD is a folder with another version (it holds that version's `tts_book` package). For each file:
how many chunks either version plans, and how many of the new version's the old one would not have
in its cache, because what is sent for them differs. Prints the first of those, beside the nearest
chunk of the old version; exit code 1 if there is any.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from difflib import SequenceMatcher
from pathlib import Path

# Run by either version: one JSON list of [chapter, sent text, key] for each file.
_PLAN = """
import json, sys, tempfile
from tts_book import plan
from tts_book.errors import UserError

for path in sys.argv[1:]:
    try:
        book = plan(path, backend="silent", cache=tempfile.mkdtemp())
    except UserError as error:
        print(json.dumps([["", str(error), ""]]))
        continue
    rows = [[c.title, chunk.spoken, chunk.key] for c in book.chapters for chunk in c.chunks]
    print(json.dumps(rows))
"""

Row = tuple[str, str, str]
_SHOWN_CHARACTERS = 70


def plan_with(folder: Path, files: list[Path]) -> list[list[Row]]:
    """The chunks of every file as the version in `folder` plans them."""
    done = subprocess.run(
        [sys.executable, "-c", _PLAN, *map(str, files)],
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONUTF8": "1"},
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return [[(t, s, k) for t, s, k in json.loads(line)] for line in done.stdout.splitlines()]


def compare(file: Path, old: list[Row], new: list[Row], shown: int) -> int:
    """Prints what differs for one file; the number of chunks that would be spoken again."""
    known = {key for _, _, key in old}
    fresh = [row for row in new if row[2] not in known]
    titles = [len(dict.fromkeys(row[0] for row in rows)) for rows in (old, new)]
    print(
        f"{file.name}: chapters {titles[0]} -> {titles[1]}, chunks {len(old)} -> {len(new)}, "
        f"new {len(fresh)}"
    )
    gone = {key for _, _, key in old} - {key for _, _, key in new}
    candidates = [row for row in old if row[2] in gone]
    for title, text, _ in fresh[:shown]:
        print(f"  [{title}] " + _difference(text, candidates))
    return len(fresh)


def _difference(text: str, candidates: list[Row]) -> str:
    """Where `text` begins to differ from the candidate that starts or ends like it."""
    near = next((s for _, s, _ in candidates if s[:40] == text[:40]), None)
    near = near or next((s for _, s, _ in candidates if s[-40:] == text[-40:]), None)
    if near is None:
        return f"+ {text[:_SHOWN_CHARACTERS]!r}"
    matcher = SequenceMatcher(None, near, text, autojunk=False)
    parts = [
        f"{near[i:j][:_SHOWN_CHARACTERS]!r} -> {text[k:m][:_SHOWN_CHARACTERS]!r}"
        for kind, i, j, k, m in matcher.get_opcodes()
        if kind != "equal"
    ]
    return "; ".join(parts[:3])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--show", type=int, default=5, help="differences printed for each file")
    asked = parser.parse_args()
    files = [file.resolve() for file in asked.files]
    here = Path(__file__).resolve().parents[1]
    plans = zip(files, plan_with(asked.old.resolve(), files), plan_with(here, files), strict=True)
    return min(1, sum(compare(file, old, new, asked.show) for file, old, new in plans))


if __name__ == "__main__":
    sys.exit(main())
