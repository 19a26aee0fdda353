"""What is left out is told with reason, place and size, and all of it adds up."""

from __future__ import annotations

import json

from tts_book import readers
from tts_book.cli import report
from tts_book.model import Ledger, Skip
from tts_book.readers import ReadOptions
from tts_book.readers.book import add_ledgers, count_by_reason

TEXT = (
    "Contents\n\nChapter 1\n\nChapter 2\n\n\n\n"
    "Chapter 1\n\nThe keeper climbed the stairs[1] with a _heavy_ lamp in his old hands.\n\n"
    "Chapter 2\n\nIn the morning there was nobody, and only the gulls cried above the water.\n"
)
BOOK = readers.read_bytes(TEXT.encode(), "lamp.txt", ReadOptions(language="en"))


def test_the_sum_is_every_character_that_is_not_blank() -> None:
    assert BOOK.ledger.adds_up
    assert BOOK.ledger.source == len("".join(TEXT.split()))
    assert BOOK.ledger.skipped == len("ContentsChapter1Chapter2") + len("[1]") + len("__")


def test_every_piece_left_out_is_shown() -> None:
    title, *rows, sums = report.list_skipped(BOOK)
    assert title == "lamp"
    assert "lamp.txt:1:1\t24\tcontents list\tContents Chapter 1 Chapter 2" in rows
    assert "lamp.txt:11:30\t3\tnote mark\t[1]" in rows
    assert f"= all {BOOK.ledger.source} non-blank characters of the source" in sums
    assert report.skipped_summary(BOOK) == "contents list 24, note mark 3, emphasis mark 2"


def test_the_same_as_json() -> None:
    *rows, sums = map(json.loads, report.list_skipped_json(BOOK))
    assert {row["reason"] for row in rows} == {"contents list", "note mark", "emphasis mark"}
    assert sums["source"] == sums["spoken"] + sums["skipped"]


def test_what_is_missing_would_be_told() -> None:
    assert not Ledger(10, 5, 4).adds_up
    assert add_ledgers([Ledger(10, 5, 5), Ledger(3, 2, 1)]) == Ledger(13, 7, 6)


def test_the_most_comes_first_and_blanks_do_not_count() -> None:
    skips = [Skip(0, 2, "a", " x"), Skip(2, 5, "b", "xyz"), Skip(5, 6, "c", " ")]
    assert count_by_reason(skips) == {"b": 3, "a": 1}
