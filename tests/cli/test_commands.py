"""The commands from option to exit code, with the silent backend and real files."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import threading
import tomllib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tts_book.audio import containers, file_tags
from tts_book.backends.piper.voices import list_folders
from tts_book.cli.commands import convert, voices
from tts_book.cli.commands.cache import Pruning, cache
from tts_book.cli.commands.convert import batch
from tts_book.cli.commands.doctor import LIBRARIES, doctor
from tts_book.cli.commands.plan import show_plan
from tts_book.cli.commands.verify import check
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import Terminal
from tts_book.errors import UserError
from tts_book.output.paths import file_name
from tts_book.pipeline.session import make_backend_settings

SILENT = CommandOptions(backend="silent")
ONE = "Chapter 1\n\nThe lamp was lit before the ship came in. Nobody saw it. “Well?” he asked."
TWO = (
    "Глава 1\n\nФонарь зажгли раньше, чем пришёл корабль. — Кто там? — спросил смотритель.\n\n"
    "Глава 2\n\nУтром никого не было. Только чайки кричали над водой.\n"
)


@dataclass
class Desk:
    """A place to run commands: its folder, and what they wrote to either stream."""

    folder: Path
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)
    stdin: bytes = b""

    def here(self) -> Terminal:
        return Terminal(
            cwd=self.folder,
            config_dir=self.folder / "config",
            cache_dir=self.folder / "cache",
            voices_dir=self.folder / "voices",
            environ={},
            stdin=io.BytesIO(self.stdin),
            stdin_is_terminal=False,
            out=self.out,
            err=self.err,
            command="tts-book convert …",
        )

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def run(self, command: Coroutine[Any, Any, int]) -> int:
        self.out.truncate(self.out.seek(0))
        self.err.truncate(self.err.seek(0))
        return asyncio.run(command)

    def convert(self, *sources: str | Path, request: CommandOptions = SILENT) -> int:
        return self.run(convert.convert(self.here(), request, [str(s) for s in sources]))

    def written(self) -> list[Path]:
        return [Path(line) for line in self.out.getvalue().splitlines()]


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def length_s(path: Path) -> float:
    return containers.probe(path).duration_ms / 1_000


def test_one_chapter_is_one_file(at: Desk) -> None:
    assert at.convert(at.write("story.txt", ONE)) == 0
    assert at.written() == [at.folder / "story.mp3"]
    assert length_s(at.folder / "story.mp3") > 5


def test_several_chapters_are_a_folder_of_numbered_files(at: Desk) -> None:
    assert at.convert(at.write("книга.txt", TWO)) == 0
    names = [path.relative_to(at.folder).as_posix() for path in at.written()]
    assert names == ["книга/001 - Глава 1.mp3", "книга/002 - Глава 2.mp3"]
    read = file_tags.read_tags(at.written()[1])
    assert (read.title, read.album, read.track, read.tracks) == ("Глава 2", "книга", 2, 2)


def test_several_sources_are_several_books(at: Desk) -> None:
    one, two = at.write("one.txt", ONE), at.write("two.txt", TWO)
    assert at.convert(one, two, request=replace(SILENT, output=at.folder / "out")) == 0
    assert [path.parent.name for path in at.written()] == ["out", "two", "two"]


def test_each_of_several_books_is_known_as_finished_by_itself(at: Desk) -> None:
    one, two = at.write("one.txt", ONE), at.write("two.txt", TWO)
    assert at.convert(one, two) == 0
    assert at.convert(two) == 0
    assert [path.parent.name for path in at.written()] == ["two", "two"]
    assert "nothing has changed, 2 files are there" in at.err.getvalue()


def test_a_source_that_is_named_twice_is_read_once(at: Desk) -> None:
    one = at.write("one.txt", ONE)
    assert at.convert(one, at.folder / "." / "one.txt") == 0
    assert at.written() == [at.folder / "one.mp3"]
    assert "given twice" in at.err.getvalue()


def test_what_a_killed_run_left_is_swept(at: Desk) -> None:
    part = at.write(f".tts-book-{10**9}-0.part", "half")
    at.convert(at.write("one.txt", ONE))
    assert not part.exists()


def test_standard_input_is_a_book(at: Desk) -> None:
    at.stdin = ONE.encode()
    out = at.folder / "spoken.mp3"
    assert at.convert("-", request=replace(SILENT, output=out)) == 0
    assert at.written() == [out]


NAMES = [
    (ONE, "Chapter 1"),
    (
        "The lamp was lit, before the ship came in; and nobody saw it.",
        "The lamp was lit, before the ship came",
    ),
    ("«Кто там?» — спросил он.", "«Кто там?» — спросил он"),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_standard_input_is_called_after_its_heading_or_first_words(
    text: str, name: str, at: Desk
) -> None:
    at.stdin = text.encode()
    assert at.convert("-", request=replace(SILENT, language="en")) == 0
    assert [path.stem for path in at.written()] == [file_name(name)]
    assert file_tags.read_tags(at.written()[0]).title == name


def test_the_title_of_a_text_with_one_chapter_is_its_heading(at: Desk) -> None:
    at.convert(at.write("story.txt", ONE))
    read = file_tags.read_tags(at.written()[0])
    assert (read.title, read.album) == ("Chapter 1", "story")
    at.convert(at.write("story.txt", ONE), request=replace(SILENT, title="The Lamp"))
    assert file_tags.read_tags(at.written()[0]).title == "The Lamp"


class Waiting(io.BytesIO):
    """A keyboard at which nobody has typed the end yet."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.ended = threading.Event(), threading.Event()

    def read(self, _size: int | None = -1) -> bytes:
        self.asked.set()
        self.ended.wait(30)
        return ONE.encode()


def test_reading_can_be_stopped(at: Desk) -> None:
    keyboard = Waiting()

    async def stopped() -> None:
        here = replace(at.here(), stdin=keyboard)
        task = asyncio.create_task(convert.convert(here, SILENT, ["-"]))
        await asyncio.to_thread(keyboard.asked.wait, 30)
        task.cancel()
        try:
            with pytest.raises(asyncio.CancelledError):
                await task
        finally:
            assert not keyboard.ended.is_set()
            keyboard.ended.set()

    asyncio.run(stopped())


def test_a_second_run_speaks_nothing_and_writes_the_same_bytes(at: Desk) -> None:
    source = at.write("story.txt", TWO)
    at.convert(source)
    before = [path.read_bytes() for path in at.written()]
    assert at.convert(source) == 0
    assert [path.read_bytes() for path in at.written()] == before
    assert "nothing has changed" in at.err.getvalue()
    assert at.convert(source, request=replace(SILENT, explain=True)) == 0
    assert [path.read_bytes() for path in at.written()] == before
    assert "0 chunks spoken" in at.err.getvalue()


CHANGES = [
    ("the text", lambda at: at.write("story.txt", TWO + "\n\nИ ещё одно предложение.\n")),
    ("a file of it", lambda at: at.written()[0].write_bytes(b"changed")),
    ("a file gone", lambda at: at.written()[1].unlink()),
    ("its voices", lambda at: at.write("voices.toml", "[pauses]\nscene = 3000\n")),
    ("its pronunciations", lambda at: at.write("pronounce.toml", "# none yet\n")),
    ("its record", lambda at: (at.folder / "story/tts-book.jsonl").write_text("{}\n")),
]


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[n for n, _ in CHANGES])
def test_a_change_of_anything_is_noticed(at: Desk, change: Callable[[Desk], object]) -> None:
    source = at.write("story.txt", TWO)
    at.convert(source)
    change(at)
    if "changed" in str(at.written()[0].read_bytes()[:7]):
        at.written()[0].unlink()  # a stranger's file now: not ours to replace
    assert at.convert(source) == 0
    assert "nothing has changed" not in at.err.getvalue()
    assert len(at.written()) == 2
    assert all(path.exists() for path in at.written())


def test_other_wishes_are_noticed_and_indifferent_ones_are_not(at: Desk) -> None:
    source = at.write("story.txt", TWO)
    at.convert(source)
    at.convert(source, request=replace(SILENT, workers=1, proxy="http://127.0.0.1:1"))
    assert "nothing has changed" in at.err.getvalue()
    at.convert(source, request=replace(SILENT, title="Other"))
    assert "nothing has changed" not in at.err.getvalue()


def test_an_album_that_is_finished_is_left_alone(at: Desk) -> None:
    for number in (1, 2):
        at.write(f"album/{number}.txt", f"Story {number}\n\n{ONE}")
    for expected in (False, True):
        assert at.run(batch(at.here(), SILENT, at.folder / "album")) == 0
        assert ("nothing has changed" in at.err.getvalue()) is expected
    at.write("album/3.txt", f"Story 3\n\n{ONE}")
    at.run(batch(at.here(), SILENT, at.folder / "album"))
    assert len(at.written()) == 3


def test_without_a_cache_the_result_is_the_same(at: Desk) -> None:
    source = at.write("story.txt", ONE)
    at.convert(source)
    before = (at.folder / "story.mp3").read_bytes()
    at.convert(source, request=replace(SILENT, no_cache=True))
    assert (at.folder / "story.mp3").read_bytes() == before


def test_a_file_of_other_origin_is_refused_and_kept(at: Desk) -> None:
    source = at.write("story.txt", ONE)
    music = at.write("story.mp3", b"music")
    with pytest.raises(UserError, match="--force"):
        at.convert(source)
    assert music.read_bytes() == b"music"
    assert at.convert(source, request=replace(SILENT, force=True)) == 0
    assert music.read_bytes() != b"music"


def test_chapters_that_are_gone_are_listed_and_kept(at: Desk) -> None:
    source = at.write("book.txt", TWO)
    at.convert(source)
    second = at.written()[1]
    source.write_text(TWO.partition("Глава 2")[0], "utf-8")
    assert at.convert(source) == 0
    assert str(second) in at.err.getvalue()
    assert second.exists()


THREE = TWO + "\nГлава 3\n\nМаяк погас, и больше его никто не зажигал.\n"


@pytest.mark.parametrize(
    ("answer", "changed", "left"),
    [
        (None, False, []),
        (b"y\n", False, []),
        (b"\n", False, ["003 - Глава 3.mp3", "003 - Глава 3.srt"]),
        (b"y\n", True, ["003 - Глава 3.mp3", "003 - Глава 3.srt"]),
    ],
)
def test_clean_deletes_what_no_chapter_has_any_more_and_nobody_changed(
    answer: bytes | None, changed: bool, left: list[str], at: Desk
) -> None:
    source = at.write("book.txt", THREE)
    with_captions = replace(SILENT, captions="srt")
    at.convert(source, request=with_captions)
    (old,) = (path for path in at.written() if path.name == "003 - Глава 3.mp3")
    at.write("book.txt", TWO)
    at.convert(source, request=with_captions)
    assert "no longer belongs to any chapter (see --clean): " in at.err.getvalue()
    if changed:
        with old.open("ab") as file:
            file.write(b"mine")
    at.stdin = answer or b""
    here = replace(at.here(), stdin_is_terminal=answer is not None)
    options = replace(with_captions, clean=True)
    assert at.run(convert.convert(here, options, [str(source)])) == 0
    names = sorted(path.name for path in old.parent.glob("003*"))
    assert names == left
    assert ("deleted: " in at.err.getvalue()) is not bool(left)
    assert len(list(old.parent.glob("*.mp3"))) == 2 + bool(left)
    assert at.run(check(at.here(), [str(old.parent)], as_json=False)) == int(changed)


def test_files_of_the_last_format_are_not_stale(at: Desk) -> None:
    source = at.write("book.txt", TWO)
    for kind in ("mp3", "m4b", "opus", "mp3book", "mp3"):
        assert at.convert(source, request=replace(SILENT, format=kind, clean=True)) == 0
        assert "earlier run" not in at.err.getvalue()
    found = [*at.folder.glob("*.*"), *at.folder.glob("book/*.mp3")]
    names = {path.name for path in found if path.suffix in (".mp3", ".m4b", ".opus")}
    assert names == {"001 - Глава 1.mp3", "002 - Глава 2.mp3", "book.mp3", "book.m4b", "book.opus"}


def test_a_part_that_is_spoken_again_is_heard_in_all_formats_that_exist(at: Desk) -> None:
    source = at.write("book.txt", TWO)
    at.convert(source, request=replace(SILENT, format="mp3,page", captions="srt"))
    at.convert(source, request=replace(SILENT, format="m4b", captions="srt"))
    assert at.convert(source, request=replace(SILENT, redo="2/1")) == 0
    names = {path.name for path in at.written()}
    assert {"book.m4b", "book.srt", "002 - Глава 2.mp3", "002 - Глава 2.srt"} <= names
    assert any(name.endswith(".html") for name in names)
    assert not any(name.endswith(".opus") for name in names)


@pytest.mark.parametrize(
    ("terminal", "yes", "answer", "left"),
    [(True, False, b"n\n", True), (True, False, b"y\n", False), (True, True, b"", False),
     (False, False, b"", False)],
)  # fmt: skip
def test_clearing_the_cache_is_asked_about(
    terminal: bool, yes: bool, answer: bytes, left: bool, at: Desk
) -> None:
    at.convert(at.write("story.txt", ONE))
    at.stdin = answer
    here = replace(at.here(), stdin_is_terminal=terminal)
    assert at.run(cache(here, None, Pruning(clear=True), False, yes=yes)) == 0
    assert bool(list((at.folder / "cache").rglob("*.mp3"))) is left


def test_json_is_one_event_a_line(at: Desk) -> None:
    assert at.convert(at.write("a.txt", ONE), request=replace(SILENT, json=True)) == 0
    told = [json.loads(line) for line in at.out.getvalue().splitlines()]
    assert told[0]["event"] == "JobStarted"
    assert told[-1]["event"] == "JobDone"
    assert {"ChunkDone", "ChapterDone"} <= {event["event"] for event in told}


def test_quiet_says_nothing(at: Desk) -> None:
    at.convert(at.write("a.txt", TWO))
    assert at.convert(at.write("a.txt", ONE), request=replace(SILENT, quiet=True)) == 0
    assert at.err.getvalue() == ""


def test_markup_in_a_title_is_shown_as_it_is(at: Desk) -> None:
    said = "The lamp was lit before the ship came in. Nobody saw it."
    text = f"# [bold]Danger[/bold] [link=x]\n\n{said}\n\n# Two\n\n{said}"
    assert at.convert(at.write("a.md", text)) == 0
    assert "[bold]Danger[/bold]" in at.err.getvalue()


def test_the_plan_is_what_convert_does(at: Desk) -> None:
    source = str(at.write("book.txt", TWO))
    assert at.run(show_plan(at.here(), replace(SILENT, json=True), [source], False)) == 0
    planned = [json.loads(line) for line in at.out.getvalue().splitlines()]
    assert not any(line["cached"] for line in planned)
    at.convert(source)
    assert {line["file"] for line in planned} == {str(path) for path in at.written()}
    at.run(show_plan(at.here(), replace(SILENT, json=True), [source], False))
    again = [json.loads(line) for line in at.out.getvalue().splitlines()]
    assert all(line["cached"] for line in again)
    assert [line["key"] for line in again] == [line["key"] for line in planned]


def test_the_plan_shows_chunks_with_their_places(at: Desk) -> None:
    source = str(at.write("book.txt", TWO))
    assert at.run(show_plan(at.here(), SILENT, [source], True)) == 0
    first, *_, last = at.out.getvalue().splitlines()
    assert first.split("\t") == ["1/1", "book.txt:1:1", "heading", "Глава 1"]
    assert last.startswith("2/2\tbook.txt:7:1\tchapter\tУтром")
    assert not (at.folder / "cache").exists() or not any((at.folder / "cache").glob("*/*"))


def test_the_plan_in_words(at: Desk) -> None:
    at.run(show_plan(at.here(), SILENT, [str(at.write("book.txt", TWO))], False))
    shown = at.out.getvalue()
    assert "Глава 2" in shown
    assert "language ru" in shown
    assert "2 chapters" in shown


def test_batch_makes_an_album_in_natural_order(at: Desk) -> None:
    for number in (10, 2, 1):
        at.write(f"album/{number}.txt", f"Story {number}\n\n{ONE}")
    request = replace(SILENT, output=at.folder / "out")
    assert at.run(batch(at.here(), request, at.folder / "album")) == 0
    assert [path.name[:3] for path in at.written()] == ["001", "002", "003"]
    read = [file_tags.read_tags(path) for path in at.written()]
    assert [tag.album for tag in read] == ["album"] * 3
    assert "10" in read[2].title


def test_batch_reports_what_it_cannot_read_and_does_the_rest(at: Desk) -> None:
    at.write("album/1.txt", ONE)
    at.write("album/2.txt", b"\x7fELF\x02\x01\x01\x00" * 50)
    request = replace(SILENT, output=at.folder / "out")
    assert at.run(batch(at.here(), request, at.folder / "album")) == 1
    at.write("album/3.txt", ONE)
    assert at.run(batch(at.here(), request, at.folder / "album")) == 1
    assert [path.name[:3] for path in at.written()] == ["001", "003"]
    assert "chapter 2 not written: album/2.txt is a program" in at.err.getvalue()
    assert ", 1 missing" in at.err.getvalue()


def test_batch_into_one_file_goes_as_the_refusal_says(at: Desk) -> None:
    for number in (1, 2):
        at.write(f"album/{number}.txt", f"Story {number}\n\n{ONE}")
    request = replace(SILENT, output=at.folder / "one.mp3")
    with pytest.raises(UserError, match="--format mp3book"):
        at.run(batch(at.here(), request, at.folder / "album"))
    request = replace(request, format="mp3book")
    assert at.run(batch(at.here(), request, at.folder / "album")) == 0
    assert at.written() == [at.folder / "one.mp3"]


def test_batch_in_its_own_parent_does_not_fill_the_source(at: Desk) -> None:
    at.write("album/1.txt", ONE)
    at.write("album/2.txt", TWO.replace("Глава", "Раздел"))
    at.run(batch(at.here(), SILENT, at.folder / "album"))
    assert not list((at.folder / "album").glob("*.mp3"))


REFUSED = [
    ("missing.txt", None, SILENT, "missing.txt"),
    ("empty.txt", "", SILENT, "empty.txt"),
    ("blank.txt", " \n\n\t", SILENT, "blank.txt"),
    ("binary.txt", b"\x7fELF\x00\x00\x01" * 30, SILENT, "binary.txt"),
    ("a.txt", ONE, replace(SILENT, voice="dmitri"), "dmitry"),
    ("a.txt", ONE, replace(SILENT, backend="egde"), "egde"),
    ("a.txt", ONE, replace(SILENT, rate="fast"), "fast"),
    ("a.txt", ONE, replace(SILENT, rate="-99%"), "-99"),
    ("a.txt", ONE, replace(SILENT, split="never"), "never"),
    ("a.txt", ONE, replace(SILENT, encoding="utf-88"), "utf-88"),
    ("a.txt", ONE, replace(SILENT, language="russian"), "ru"),
    ("a.txt", "12345 67890", SILENT, "--language"),
    ("a.txt", ONE, replace(SILENT, voices=Path("none.toml")), "none.toml"),
    ("b.txt", TWO, replace(SILENT, output=Path("one.mp3")), "-o"),
    ("a.txt", ONE, replace(SILENT, output=Path("/dev/null/x")), "-o"),
]


@pytest.mark.parametrize(("name", "text", "request_", "told"), REFUSED)
def test_what_the_user_can_fix_is_one_line(
    name: str, text: str | bytes | None, request_: CommandOptions, told: str, at: Desk
) -> None:
    if text is not None:
        at.write(name, text)
    with pytest.raises(UserError, match=told) as raised:
        at.convert(at.folder / name, request=request_)
    assert len(str(raised.value).splitlines()) == 1


def test_a_folder_without_texts_is_reported(at: Desk) -> None:
    (at.folder / "album").mkdir()
    with pytest.raises(UserError, match="album"):
        at.run(batch(at.here(), SILENT, at.folder / "album"))


def test_a_misspelt_key_is_reported_with_file_line_and_suggestion(at: Desk) -> None:
    at.write("voices.toml", '[voices.mine]\nbackend = "edge"\nvioce = "x"\n')
    with pytest.raises(UserError, match=r"voices.toml:3.*vioce"):
        at.convert(at.write("a.txt", ONE))


def test_own_pauses_are_heard(at: Desk) -> None:
    source = at.write("a.txt", ONE)
    at.convert(source)
    before_s = length_s(at.folder / "a.mp3")
    at.write("voices.toml", "[pauses]\nheading = 11200\n")
    at.convert(source)
    assert length_s(at.folder / "a.mp3") - before_s == pytest.approx(10, abs=0.05)


def test_a_preview_speaks_the_language_of_the_voice(at: Desk) -> None:
    request = CommandOptions(voice="silent:x", language="ru", backend="")
    assert at.run(voices.preview(at.here(), request)) == 0
    (path,) = at.written()
    assert length_s(path) > 3
    assert not list(at.folder.glob("*.jsonl"))


def test_doctor_looks_at_every_library_that_the_program_needs() -> None:
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))[
        "project"
    ]
    needed = {re.split(r"[<>=;]", line)[0] for line in declared["dependencies"]}
    assert {*LIBRARIES, "audioop-lts"} == needed


def test_doctor_names_every_backend_and_ends_well_with_a_voice(at: Desk) -> None:
    code = at.run(doctor(at.here(), CommandOptions(language="en")))
    shown = at.out.getvalue()
    assert code == 0
    assert all(name in shown for name in ("edge", "piper", "espeak", "silent", "cache", "English"))


@pytest.mark.parametrize(
    ("language", "code", "told"),
    [
        ("ru", 1, "FAIL Russian: no voice offline; online service not reached. Fix: go online, or: "
                  "tts-book voices install ru_RU-ruslan-medium"),
        ("en,ru", 1, "ok   English: joe offline; online service not reached"),
        ("eo", 1, "FAIL Esperanto: no voice offline"),
        ("en", 0, "ok   English: joe offline"),
    ],
)  # fmt: skip
def test_doctor_answers_for_each_language(language: str, code: int, told: str, at: Desk) -> None:
    options = CommandOptions(language=language, proxy="http://127.0.0.1:1")
    assert at.run(doctor(at.here(), options)) == code
    assert told in at.out.getvalue()


def test_doctor_asks_about_the_users_language_and_english(at: Desk) -> None:
    here = replace(at.here(), environ={"LANG": "de_DE.UTF-8"})
    assert at.run(doctor(here, CommandOptions(proxy="http://127.0.0.1:1"))) == 1
    assert "German: " in at.out.getvalue()
    assert "English: " in at.out.getvalue()


def test_voices_are_listed_by_name_and_by_backend(at: Desk) -> None:
    assert at.run(voices.list_all(at.here(), CommandOptions(backend="piper"), False)) == 0
    assert "joe" in at.out.getvalue()
    assert "en_US-joe-medium" in at.out.getvalue()


def test_voices_of_one_backend_or_language_are_those_only(at: Desk) -> None:
    at.run(voices.list_all(at.here(), CommandOptions(backend="piper"), False))
    assert "edge" not in at.out.getvalue()
    at.run(voices.list_all(at.here(), CommandOptions(backend="espeak", language="de"), False))
    assert "robot-ru" not in at.out.getvalue()


def test_silence_is_here_under_any_name(at: Desk) -> None:
    at.run(voices.list_all(at.here(), CommandOptions(backend="silent"), False))
    assert "not here now" not in at.out.getvalue()


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (CommandOptions(backend="pipper"), "piper"),
        (CommandOptions(backend="", language="klingonese"), "unknown language"),
    ],
)
def test_voices_of_nothing_known(request_: CommandOptions, told: str, at: Desk) -> None:
    with pytest.raises(UserError, match=told):
        at.run(voices.list_all(at.here(), request_, False))


def test_a_voice_that_its_engine_does_not_have_is_the_users_to_fix(at: Desk) -> None:
    with pytest.raises(UserError, match=r"uz.*tts-book voices --backend espeak"):
        at.run(voices.preview(at.here(), CommandOptions(voice="espeak:zz", backend="")))


def test_folders_of_voices_are_a_list_as_in_path(at: Desk) -> None:
    named = os.pathsep.join((str(at.folder / "one"), "", "~/two"))
    here = replace(at.here(), environ={"TTS_BOOK_VOICES": named})
    settings = make_backend_settings(here, "")
    assert settings.voices_dirs == (at.folder / "one", Path.home() / "two", at.folder / "voices")
    assert list_folders(settings) == settings.voices_dirs
