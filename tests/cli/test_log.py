"""The log: which lines at which level, one line each, in nobody's way."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tts_book
from tests.cli.test_commands import ONE, SILENT, Desk
from tts_book import events
from tts_book.cli import log as logs
from tts_book.cli.commands import convert
from tts_book.cli.display import Display
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import hide_passwords, open_log
from tts_book.cli.progress import Progress
from tts_book.errors import UserError
from tts_book.events import ROOT, escape_text
from tts_book.model import Doubt, DoubtKind

EDGE = logging.getLogger("tts_book.edge")
LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARNING|ERROR) +tts_book[.\w]* \S.*")


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def logged(at: Desk, level: str, request: CommandOptions = SILENT) -> list[str]:
    """The lines that a conversion leaves on standard error, of the log and others."""

    async def run() -> int:
        with open_log(at.here(), level) as here:
            return await convert.convert(here, request, ["story.txt"])

    at.write("story.txt", ONE)
    assert at.run(run()) == 0
    return at.err.getvalue().splitlines()


TOLD = {
    "": set(),
    "error": set(),
    "warning": set(),
    "info": {"INFO"},
    "debug": {"INFO", "DEBUG"},
    "Debug": {"INFO", "DEBUG"},
}


@pytest.mark.parametrize("level", TOLD)
def test_a_level_reports_what_weighs_as_much_and_leaves_the_rest_as_it_was(
    level: str, at: Desk
) -> None:
    lines = logged(at, level)
    assert {found[1] for line in lines if (found := LINE.fullmatch(line))} == TOLD[level]
    rest = [line for line in lines if not LINE.fullmatch(line)]
    assert any("chapter 1 done" in line for line in rest)


def test_a_quiet_run_tells_its_log_all_the_same(at: Desk) -> None:
    lines = logged(at, "debug", replace(SILENT, quiet=True))
    assert all(LINE.fullmatch(line) for line in lines)
    told = "\n".join(lines)
    for part in ("voices: ", "pronunciations: none", "not in the cache: ", "1/1 of story: attempt"):
        assert part in told


def test_json_on_standard_output_is_not_disturbed(at: Desk) -> None:
    logged(at, "debug", replace(SILENT, json=True))
    assert [json.loads(line)["event"] for line in at.out.getvalue().splitlines()][-1] == "JobDone"


def test_what_is_in_the_cache_is_reported(at: Desk) -> None:
    logged(at, "")
    told = "\n".join(logged(at, "debug", replace(SILENT, force=True)))
    assert "1/1 in the cache: " in told
    for path in (at.folder / "cache").rglob("*.mp3"):
        path.write_bytes(b"damaged")
    assert "1/1 damaged: " in "\n".join(logged(at, "debug", replace(SILENT, force=True)))


def test_a_level_that_there_is_not(at: Desk) -> None:
    with pytest.raises(UserError, match="error, warning, info, debug"):
        logged(at, "loud")


def test_nothing_is_left_behind(at: Desk) -> None:
    root = logging.getLogger(ROOT)
    before = (root.level, list(root.handlers))
    logged(at, "debug")
    assert (root.level, list(root.handlers)) == before


ODD = Doubt(DoubtKind.SOUND, "odd")
EVENTS: list[tuple[events.Event, str, str]] = [
    (events.ChunkStarted("B", 1, 2, 3, 4), "DEBUG", "1/2 of B: attempt 3, 4 in flight"),
    (
        events.ChunkRetried("B", 1, 2, 3, "overload", "It answered 503.", 1.5),
        "WARNING",
        "attempt 3 failed (overload): It answered 503. Again in 1.5 s.",
    ),
    (events.ChunkDone("B", 1, 2, 9, 1_500, True, 1, "b.txt:1:1"), "DEBUG", "from the cache"),
    (events.ChunkDone("B", 1, 2, 9, 1_500, False, 2, "b.txt:1:1"), "INFO", "1.50 s of sound, 2 at"),
    (
        events.ChunkDone("B", 1, 2, 9, 1_500, False, 1, "b.txt:1:1", (ODD,)),
        "WARNING",
        "kept with doubts: sound may be missing: odd",
    ),
    (
        events.ChunkFailed("B", 1, 2, 9, "no audio", "Nothing.", "b.txt:1:1", "Oh", True),
        "ERROR",
        "b.txt:1:1: chunk 1/2 is not spoken",
    ),
    (events.ChapterLost("B", 1, "One", 1, "why"), "ERROR", "chapter 1 not written: why"),
    (events.BookLost("B", "b.m4b", "why"), "ERROR", "b.m4b not written: why"),
    (events.VoiceChanged("B", 1, "One", "joe", 1), "WARNING", "joe takes over"),
    (
        events.LimitChanged("edge", 1, "overload"),
        "INFO",
        "at most 1 at once from now on (overload)",
    ),
    (events.LimitChanged("edge", 1, "503", 2.0), "WARNING", "after a pause of 2.0 s for all"),
]


@pytest.mark.parametrize(("event", "level", "text"), EVENTS)
def test_events_weigh_what_they_mean(event: events.Event, level: str, text: str) -> None:
    err = io.StringIO()
    with logs.show_log(err, "debug") as log:
        assert log.listener is not None
        log.listener(event)
    line = err.getvalue().splitlines()[-1]
    assert LINE.fullmatch(line)
    assert f" {level} " in line
    assert text in line


def test_a_program_that_uses_the_library_has_the_same_log(
    at: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    at.write("story.txt", ONE)
    for level in ("DEBUG", "INFO"):
        caplog.clear()
        with caplog.at_level(level, "tts_book"):
            tts_book.convert(
                "story.txt", surroundings=at.here(), backend="silent", output=at.folder, force=True
            )
        rooms = {record.name for record in caplog.records}
        assert rooms == {"tts_book.job"} | ({"tts_book.pool"} if level == "DEBUG" else set())


def test_a_line_names_the_chunk_that_is_spoken() -> None:
    err = io.StringIO()
    with logs.show_log(err, "debug") as log:
        assert log.listener is not None
        token = events.CURRENT_CHUNK.set("3/17")
        EDGE.debug("%s +%d ms %s", "9abb1aed", 76, "< turn.end")
        log.listener(events.ChunkStarted("B", 3, 17, 1, 1))
        events.CURRENT_CHUNK.reset(token)
        EDGE.debug("18 voices")
    lines = [line.partition(" tts_book.")[2] for line in err.getvalue().splitlines()[-3:]]
    assert lines == [
        "edge 3/17 9abb1aed +76 ms < turn.end",
        "job 3/17 of B: attempt 1, 1 in flight",
        "edge 18 voices",
    ]


def test_frames_are_logged_only_where_they_are_shown() -> None:
    assert not EDGE.isEnabledFor(logging.DEBUG)
    with logs.show_log(io.StringIO(), "info"):
        assert not EDGE.isEnabledFor(logging.DEBUG)
    with logs.show_log(io.StringIO(), "debug"):
        assert EDGE.isEnabledFor(logging.DEBUG)


# What is written


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain — да", "plain — да"),
        ("a\nb\r\tc\x1b[31m\x07", "a\\nb\\r\\tc\\x1b[31m\\x07"),
        ("\u202eleft \u2028 \ud800 \u200b", "\\u202eleft \\u2028 \\ud800 \\u200b"),
        ("\x9b1m \U000e0041", "\\x9b1m \\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, line: str) -> None:
    assert escape_text(text) == line


@settings(max_examples=60)
@given(st.text(st.characters()))
def test_any_text_is_one_harmless_line(text: str) -> None:
    line = escape_text(text)
    assert line.isprintable()
    assert line.encode("utf-8").decode("utf-8") == line
    assert escape_text(line) == line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_lines_stand_whole_above_the_live_display() -> None:
    err, hostile = Terminal(), "[red]markup[/red] \x1b[2J " + "words " * 60

    async def run() -> None:
        with logs.show_log(err, "debug") as log:
            assert log.console is not None
            with Display(log.console, Progress()).shown() as display:
                display(events.JobStarted(1, 1, 9, 0, 900, 60_000))
                for number in range(20):
                    EDGE.debug("%s", f"line {number} {hostile}end")

    asyncio.run(run())
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", err.getvalue())
    for number in range(20):
        assert f"line {number} [red]markup[/red] \\x1b[2J {'words ' * 60}end\n" in shown


class Gone(io.StringIO):
    """A reader that has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_who_leaves_disturbs_nothing_that_is_noted() -> None:
    with logs.show_log(Gone(), "debug"):
        EDGE.debug("< turn.end")


COMMANDS = [
    (["convert", "a.txt"], ["convert", "a.txt"]),
    (["--proxy", "http://me:se@cret@h:1", "a@b"], ["--proxy", "http://…@h:1", "a@b"]),
    (["--proxy=https://me:secret@h:1"], ["--proxy=https://…@h:1"]),
    (["--proxy", "me:secret@h:1"], ["--proxy", "…@h:1"]),
    (["--proxy", "http://h:1", "--title", "x:y@z"], ["--proxy", "http://h:1", "--title", "x:y@z"]),
]


@pytest.mark.parametrize(("given", "told"), COMMANDS)
def test_a_command_is_reported_without_the_password_of_a_proxy(
    given: list[str], told: list[str]
) -> None:
    assert list(hide_passwords(given)) == told
