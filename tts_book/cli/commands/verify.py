"""`tts-book verify`: checks finished files and says what is wrong, and where."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from tts_book.cli.process import Terminal
from tts_book.events import format_count, format_duration
from tts_book.output.inspection.verify import Problem, Report, files, verify
from tts_book.output.manifest import read_manifest

_FORMAT = "ACX takes 44.1 kHz, 192 kbit/s; these files are 24 kHz and are not for it as they are."


async def check(at: Terminal, sources: Sequence[str], *, as_json: bool, acx: bool = False) -> int:
    """Reports each file, with `acx` also how it compares with what ACX asks for; 1 if anything is
    wrong. Raises UserError for what is not there."""
    wrong = 0
    paths = await asyncio.to_thread(files, [at.cwd / source for source in sources])
    once = lru_cache(maxsize=1)(
        read_manifest
    )  # the files of a book, which share one, stand together
    for path in paths:
        report = await asyncio.to_thread(verify, path, once)
        wrong += bool(report.problems)
        for line in _json(report) if as_json else _lines(report, at.cwd, acx):
            at.out.write(f"{line}\n")
        at.out.flush()
    if not as_json:
        looked = format_count(len(paths), "file")
        note = f"{_FORMAT}\n" if acx else ""
        at.err.write(f"{note}{looked} looked through, {wrong} with problems\n")
    return 1 if wrong else 0


def _lines(report: Report, cwd: Path, acx: bool) -> Iterator[str]:
    path = report.path.relative_to(cwd) if report.path.is_relative_to(cwd) else report.path
    state = "WRONG" if report.problems else "ok"
    yield f"{state:<5} {path}{_levels(report, acx)}"
    for problem in report.problems:
        yield f"      {_where(problem)}{problem.what}"
    for text in report.notes:
        yield f"      note: {text}"


def _levels(report: Report, acx: bool) -> str:
    found = report.measured
    if found is None:
        return ""
    levels = (
        (found.loudness_lufs, "LUFS"),
        (found.peak_dbfs, "dB peak"),
        (found.rms_dbfs, "dB RMS"),
    )
    text = "".join(f", {level:.1f} {unit}" for level, unit in levels if level is not None)
    verdict = f"not ACX: {'; '.join(report.acx)}" if report.acx else "levels as ACX requires"
    return f": {format_duration(found.duration_ms)}{text}" + (f"; {verdict}" if acx else "")


def _where(problem: Problem) -> str:
    time = "" if problem.at_ms is None else f"at {format_duration(problem.at_ms)}"
    text = ", ".join(part for part in (time, problem.place) if part)
    return f"{text}: " if text else ""


def _json(report: Report) -> Iterator[str]:
    found = report.measured
    yield json.dumps(
        {
            "file": str(report.path),
            "ok": not report.problems,
            "duration_ms": found.duration_ms if found else None,
            "loudness_lufs": found.loudness_lufs if found else None,
            "peak_dbfs": found.peak_dbfs if found else None,
            "rms_dbfs": found.rms_dbfs if found else None,
            "floor_dbfs": found.floor_dbfs if found else None,
            "acx": list(report.acx),
            "notes": list(report.notes),
            "problems": [
                {"what": p.what, "at_ms": p.at_ms, "place": p.place} for p in report.problems
            ],
        },
        ensure_ascii=False,
    )
