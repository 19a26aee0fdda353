"""Records of how files were made, beside the files or hidden: every command finds both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_commands import ONE, SILENT, TWO, Desk
from tts_book.cli.commands.convert import batch
from tts_book.cli.commands.publication import feed, page
from tts_book.cli.commands.verify import check
from tts_book.cli.commands.where import where
from tts_book.errors import UserError
from tts_book.output.manifest import HIDDEN_FOLDER, NAME, findings_path
from tts_book.pipeline.options import RECORDS

OUT = "out"
OPTIONS = replace(SILENT, captions="srt")
# The records of the three books below, where nothing hides them.
BESIDE = {f"one.{NAME}", f"two/{NAME}", f"album/{NAME}"}
HIDDEN = {f"{HIDDEN_FOLDER}/one.{NAME}", f"two/{HIDDEN_FOLDER}/{NAME}"} | {
    f"album/{HIDDEN_FOLDER}/{NAME}"
}


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    at = Desk(tmp_path)
    at.write("one.txt", ONE)
    at.write("two.txt", TWO)
    at.write("album/1.txt", ONE)
    at.write("album/2.txt", ONE.replace("1", "2").replace("lamp", "bell"))
    return at


def convert_all(at: Desk, records: str) -> str:
    """Converts the three books; what was said."""
    options = replace(OPTIONS, output=at.folder / OUT, records=records)
    sources = at.folder / "one.txt", at.folder / "two.txt"
    assert at.convert(*sources, request=options) == 0
    said = at.err.getvalue()
    assert at.run(batch(at.here(), options, at.folder / "album")) == 0
    return said + at.err.getvalue()


def list_records(at: Desk) -> set[str]:
    out = at.folder / OUT
    return {path.relative_to(out).as_posix() for path in out.rglob(f"*{NAME}")}


def test_records_are_hidden_moved_and_found_again(at: Desk) -> None:
    places = [("", BESIDE), ("hidden", HIDDEN), ("", HIDDEN), ("beside", BESIDE), ("", BESIDE)]
    before: set[str] = set()
    for number, (records, wanted) in enumerate(places):
        said = convert_all(at, records)
        assert list_records(at) == wanted, records
        # Moving them speaks and joins nothing; a run that moves nothing has nothing to do.
        assert ("0 chunks spoken" in said) == (number > 0 and wanted != before), records
        assert ("nothing has changed" in said) == (wanted == before), records
        before = wanted
    assert not list((at.folder / OUT).rglob(HIDDEN_FOLDER))


@pytest.mark.parametrize("records", RECORDS)
def test_every_command_finds_them(records: str, at: Desk) -> None:
    convert_all(at, records)
    out, here = at.folder / OUT, at.here()
    answers = list(ask_about(at, out))
    assert [answer.partition("\n")[0] for answer in answers] == [
        "text      one.txt:1:1",
        "text      two.txt:3:1",
        "text      album/2.txt:3:1",
    ]
    assert at.run(check(here, [str(out)], as_json=False)) == 0
    assert at.err.getvalue().startswith("5 files looked through")
    next(out.rglob("001*.mp3")).unlink()  # it is missed: the record names it
    assert at.run(check(here, [str(out)], as_json=False)) == 1
    assert asyncio.run(page(here, out, out=None, cache=None, inline_audio=False, epub=False)) == 0
    assert (out / "one.html").exists()
    assert {path.name for path in out.rglob("*.html")} == {"one.html", "two.html", "album.html"}


@pytest.mark.parametrize("records", RECORDS)
def test_a_file_is_of_one_book_though_others_lie_beside_it(records: str, at: Desk) -> None:
    convert_all(at, records)
    out = at.folder / OUT
    for sound, made in (("one.mp3", "one.html"), ("two/001 - Глава 1.mp3", "two/two.html")):
        wanted = page(at.here(), out / sound, out=None, cache=None, inline_audio=False, epub=False)
        assert at.run(wanted) == 0
        assert at.written() == [out / made]
    seek = where(
        at.here(), out / "one.mp3", "", line=0, text="bell", out=None, cache=None, play=False
    )
    with pytest.raises(UserError, match="bell"):
        at.run(seek)


def ask_about(at: Desk, out: Path) -> Iterator[str]:
    for path, time, text in (
        (out / "one.mp3", "0:00", ""),
        (at.folder / "two.txt", "", "Фонарь"),
        (at.folder / "album", "", "The bell"),
    ):
        wanted = where(at.here(), path, time, line=0, text=text, out=out, cache=None, play=False)
        assert at.run(wanted) == 0
        yield at.out.getvalue()


def test_a_feed_shows_books_with_hidden_records(at: Desk) -> None:
    convert_all(at, "hidden")
    assert (
        at.run(feed(at.here(), at.folder / OUT, "https://example.org/", title="", cache=None)) == 0
    )
    assert (at.folder / OUT / "feed.xml").read_text("utf-8").count("<item>") == 5


def test_what_was_heard_of_a_book_moves_with_its_record(at: Desk) -> None:
    convert_all(at, "")
    findings = findings_path(at.folder / OUT / f"one.{NAME}")
    findings.write_text("{}", "utf-8")
    convert_all(at, "hidden")
    assert not findings.exists()
    assert findings_path(at.folder / OUT / HIDDEN_FOLDER / f"one.{NAME}").exists()


def test_stale_files_are_known_by_hidden_records(at: Desk) -> None:
    convert_all(at, "hidden")
    (at.folder / "album" / "2.txt").write_text(ONE.replace("1", "3"), "utf-8")
    options = replace(OPTIONS, output=at.folder / OUT, clean=True)
    assert at.run(batch(at.here(), options, at.folder / "album")) == 0
    assert "deleted: " in at.err.getvalue()
    assert len(list((at.folder / OUT / "album").glob("*.mp3"))) == 2
