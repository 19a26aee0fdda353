"""A source is read once: its fingerprint is that of the bytes that become the book."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_commands import ONE, SILENT, TWO, Desk
from tts_book.cli.commands.convert import batch, speak_books
from tts_book.output.manifest import NAME, read_lines
from tts_book.pipeline.job_settings import read_settings
from tts_book.pipeline.source import open_source


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_is_saved_while_a_text_is_read_is_spoken_by_the_next_run(at: Desk) -> None:
    path, settings = at.write("story.txt", ONE), read_settings(at.here(), SILENT)
    source = open_source(settings, path)
    at.write("story.txt", ONE.replace("lamp", "candle"))
    request, _ = source.parse()
    assert "lamp" in request.book.chapters[0].text
    assert at.run(speak_books(at.here(), SILENT, settings, [request])) == 0
    assert open_source(settings, path).find_finished() == ()
    assert at.convert(path) == 0
    assert "nothing has changed" not in at.err.getvalue()
    assert at.convert(path) == 0
    assert "nothing has changed" in at.err.getvalue()


def test_of_a_folder_only_the_texts_are_read(at: Desk) -> None:
    text = at.write("album/1.txt", ONE)
    with at.write("album/film.mp4", "").open("r+b") as film:
        film.truncate(1 << 40)  # more than any memory holds
    assert at.run(batch(at.here(), SILENT, at.folder / "album")) == 0
    assert set(open_source(read_settings(at.here(), SILENT), text.parent).files) == {text}
    assert at.run(batch(at.here(), SILENT, at.folder / "album")) == 0
    assert "nothing has changed" in at.err.getvalue()


def test_books_with_one_title_are_told_apart(at: Desk) -> None:
    sources = at.write("one.txt", ONE), at.write("two.txt", TWO)
    assert at.convert(*sources, request=replace(SILENT, title="T", json=True)) == 0
    told = [json.loads(line) for line in at.out.getvalue().splitlines()]
    done = [(e["book"], e["book_id"], e["chapter"]) for e in told if e["event"] == "ChapterDone"]
    assert sorted(done) == [("T", 1, 1), ("T", 2, 1), ("T", 2, 2)]
    for number, folder in ((1, at.folder / f"one.{NAME}"), (2, at.folder / "two" / NAME)):
        own = [event.get("book_id", number) for event in read_lines(folder, "event")]
        assert set(own) == {number}
    length_ms = {e["book_id"]: 0 for e in told if "book_id" in e}
    for event in told:
        if event["event"] == "ChunkDone":
            length_ms[event["book_id"]] += event["duration_ms"]
    assert told[-1]["sound_ms"] == sum(length_ms.values())
