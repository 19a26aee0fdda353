"""What a user is told of a book before it is spoken."""

from __future__ import annotations

import pytest

from tts_book.readers import ReadOptions, read_bytes

PROSE = "The rain had stopped, and somebody was walking along the wet road below the house. "
HOUR = PROSE * 660  # at 15.2 characters a second


def notices(text: str, **options: str) -> list[str]:
    book = read_bytes(text.encode(), "book.txt", ReadOptions(language="en", **options))  # type: ignore[arg-type]  # rows
    return [notice for notice in book.notices if notice.startswith(("left out", "chapter"))]


NOTES = "Notes\n\n" + "\n\n".join(
    f"{n}. See the river, the road and the house." for n in range(1, 40)
)
LEFT_OUT = (
    ("little", f"Chapter 1\n\n{HOUR}\n\nChapter 2\n\n{HOUR}\n\n{NOTES}", "left out: notes ("),
    ("much", f"Chapter 1\n\n{PROSE * 50}\n\nChapter 2\n\n{PROSE * 50}\n\n{NOTES}", "left out: 1"),
    (
        "much of everything",
        f"Chapter 1\n\n{'_word_ and _rain_ ' * 400}",
        "left out: 26.6% of the text: emphasis mark (1,600",
    ),
)


@pytest.mark.parametrize(("case", "text", "begins"), LEFT_OUT, ids=[row[0] for row in LEFT_OUT])
def test_what_is_left_out_is_said_in_one_line(case: str, text: str, begins: str) -> None:
    (line,) = notices(text)
    assert line.startswith(begins), case
    assert ("% of the text" in line and "plan --skipped" in line) is (begins != "left out: notes (")


def test_nothing_is_said_of_a_few_marks() -> None:
    assert not notices(f"Chapter 1\n\n{PROSE * 100}\n\n* * *\n\n{PROSE}")


LONG: tuple[tuple[str, str, list[int]], ...] = (
    ("four hours", f"Chapter 1\n\n{HOUR * 4}\n\nChapter 2\n\n{HOUR * 2}", [1]),
    ("most of the book", f"Chapter 1\n\n{PROSE}\n\nChapter 2\n\n{HOUR}", [2]),
    ("one chapter of four hours", HOUR * 4, [1]),
    ("a short book", f"Chapter 1\n\n{PROSE}\n\nChapter 2\n\n{PROSE * 40}", []),
    ("chapters of a usual length", f"Chapter 1\n\n{HOUR}\n\nChapter 2\n\n{HOUR}", []),
    ("one story of an hour", HOUR, []),
)


@pytest.mark.parametrize(("case", "text", "numbers"), LONG, ids=[row[0] for row in LONG])
def test_long_chapters_are_pointed_out(case: str, text: str, numbers: list[int]) -> None:
    found = notices(text)
    assert [int(line.split(",")[0].removeprefix("chapter ")) for line in found] == numbers, case
    assert all('--chapters "Chapter \\d+"' in line for line in found)


def test_who_wants_one_chapter_is_not_told_that_it_is_long() -> None:
    assert not notices(HOUR * 4, split="none")
