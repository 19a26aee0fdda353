"""Captions of other origin are never replaced unasked; ours always are, also after a killed run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_commands import ONE, SILENT, TWO, Desk
from tts_book.cli.options import CommandOptions
from tts_book.errors import UserError

WITH = replace(SILENT, captions="srt,lrc")
RECORD = "a.tts-book.jsonl"


def converted(request: CommandOptions) -> Callable[[Desk], object]:
    return lambda at: at.convert(at.folder / "a.txt", request=request)


def killed_while_adding(at: Desk) -> None:
    """As kill -9 leaves a second run: its files are there, the record is the first one's."""
    record = (at.folder / RECORD).read_bytes()
    converted(WITH)(at)
    at.write(RECORD, record)


STEPS: dict[str, Callable[[Desk], object]] = {
    "plain": converted(SILENT),
    "plain again": converted(replace(SILENT, rate="+5%")),
    "captions": converted(WITH),
    "captions of an M4B": converted(replace(WITH, format="m4b")),
    "killed while adding captions": killed_while_adding,
    "no record": lambda at: (at.folder / RECORD).unlink(),
    "no sound": lambda at: (at.folder / "a.mp3").unlink(),
    "somebody's captions": lambda at: at.write("a.srt", "my own words"),
    "damaged record": lambda at: at.write(RECORD, '{"made": {"files": []}}\n{"whole": {}}\n'),
}
ROWS = [
    ((), True),
    (("somebody's captions",), False),
    (("plain", "somebody's captions"), False),
    (("captions",), True),
    (("captions", "somebody's captions"), True),  # ours, mended by hand: as with tags
    (("captions", "no sound"), True),
    (("captions", "no record"), True),
    (("captions", "damaged record"), True),
    (("captions", "no record", "no sound"), False),
    (("captions", "plain"), True),
    (("captions", "plain", "plain again"), True),
    (("captions", "no record", "plain"), True),
    (("plain", "killed while adding captions"), True),
    (("plain", "killed while adding captions", "plain again"), True),
    (("plain", "somebody's captions", "plain again"), False),
    (("captions of an M4B",), True),
]


@pytest.mark.parametrize(("steps", "written"), ROWS)
def test_which_captions_are_replaced(steps: tuple[str, ...], written: bool, tmp_path: Path) -> None:
    at = Desk(tmp_path)
    at.write("a.txt", ONE)
    for step in steps:
        STEPS[step](at)
    again = replace(WITH, pitch="+1Hz")  # another wish, or nothing would be done
    if not written:
        before = (tmp_path / "a.srt").read_bytes()
        with pytest.raises(UserError, match=r"a\.srt.* --force"):
            converted(again)(at)
        assert (tmp_path / "a.srt").read_bytes() == before
        again = replace(again, force=True)
    assert converted(again)(at) == 0
    assert "The lamp was lit" in (tmp_path / "a.srt").read_text("utf-8")


def test_captions_of_whole_books_and_chapters_are_looked_for_beside_each(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    source = at.write("b.txt", TWO)
    request = replace(WITH, format="mp3,m4b")
    assert at.convert(source, request=request) == 0
    assert at.convert(source, request=replace(request, pitch="+1Hz")) == 0
    at.write("c.txt", TWO)
    at.write("c.srt", "my own words")
    with pytest.raises(UserError, match=r"c\.srt"):
        at.convert(tmp_path / "c.txt", request=request)


@pytest.mark.parametrize(
    ("steps", "outdated"),
    [
        (("captions", "plain"), 0),  # the sound is the same
        (("captions", "another pause"), 4),
        (("captions", "another pause", "plain"), 0),  # told once
        (("somebody's captions", "another pause"), 0),
    ],
)
def test_captions_that_need_not_fit_any_more_are_reported(
    steps: tuple[str, ...], outdated: int, tmp_path: Path
) -> None:
    at = Desk(tmp_path)
    source = at.write("b.txt", TWO)
    for step in steps:
        if step == "somebody's captions":
            at.convert(source)
            at.write("b/001 - Глава 1.srt", "my own words")
        if step == "another pause":
            at.write("voices.toml", "[pauses]\nsentence = 300\nchapter = 3000\n")
        assert at.convert(source, request=WITH if step == "captions" else SILENT) == 0
    assert at.err.getvalue().count("captions of an earlier run, which may not fit") == outdated
