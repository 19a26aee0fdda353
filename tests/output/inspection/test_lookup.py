"""From sound to text and back again, through the record beside the output."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import SILENT, Desk
from tests.fakes import ScriptedBackend, spoken
from tests.pipeline.test_run import prepared
from tests.pipeline.test_run import run as job_of
from tts_book.cli.commands.convert import batch
from tts_book.cli.commands.where import where
from tts_book.errors import AudioError, BackendError, BackendRefused, UserError
from tts_book.model import Mark, Speech
from tts_book.output.inspection.lookup import (
    Found,
    Timing,
    find_time_of,
    find_words_at,
    nearest_ms,
    parse_time_ms,
    word_at,
)
from tts_book.output.manifest import NAME, read_lines, read_manifest
from tts_book.synthesis.chunk_cache import ChunkCache

STORY = (
    "Chapter 1\r\n\r\nThe lamp was lit before the ship came in. Nobody on the pier saw it.\r\n\r\n"
    "A gull cried twice. “Who is there?” asked the keeper, and waited.\r\n\r\n"
    "Chapter 2\r\n\r\nMorning was grey. Seven boats were gone, and one had come back.\r\n"
)
WORDS = ["lamp", "pier", "gull", "keeper", "Morning", "Seven", "boats"]


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.write("story.txt", STORY)
    assert desk.convert(tmp_path / "story.txt") == 0
    return desk


def sought(at: Desk, *, line: int = 0, text: str = "") -> Found:
    cache = ChunkCache(at.folder / "cache")
    return find_time_of(at.folder / "story.txt", [at.folder], cache, line=line, text=text)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("0", 0), ("90", 90_000), ("12:34", 754_000), ("1:02:03.5", 3_723_500), ("75:00", 4_500_000)],
)
def test_times(text: str, ms: int) -> None:
    assert parse_time_ms(text) == ms


@pytest.mark.parametrize("text", ["", "now", "1:2:3:4", "-5", "1h"])
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(UserError, match="not a time"):
        parse_time_ms(text)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_leads_to_its_second_and_the_second_back_to_the_word(at: Desk, word: str) -> None:
    found = sought(at, text=word)
    again = find_words_at(found.file, found.at_ms + 30, ChunkCache(at.folder / "cache"))
    assert word in again.word
    assert word in again.sentence
    assert again.place == found.place
    line = STORY.split("\r\n")[found.place.line - 1]
    assert line[found.place.column - 1 :].startswith(word)


@pytest.mark.parametrize(
    ("line", "word"), [(1, "Chapter"), (3, "The"), (5, "A"), (7, "Chapter"), (9, "Morning")]
)
def test_a_line_leads_to_where_it_is_heard(at: Desk, line: int, word: str) -> None:
    found = sought(at, line=line)
    assert (found.word, found.place.line) == (word, line)


def test_words_behind_one_that_is_said_otherwise_are_found(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    at.write("pronounce.toml", '"lamp" = "great big lantern of brass and glass"\n"ship" = "s"\n')
    source = at.write("story.txt", STORY)
    assert at.convert(source) == 0
    for word in WORDS:
        found = sought(at, text=word)
        assert (
            word in find_words_at(found.file, found.at_ms + 30, ChunkCache(tmp_path / "cache")).word
        )
        assert found.entry is not None
        spoken = found.entry.about["spoken"]
        if word in spoken:  # the marks are of what is spoken
            heard = [m.start_ms for m in found.entry.marks if word in spoken[m.start : m.stop]]
            lines = read_lines(found.file.parent / NAME, "chapter")
            pieces = next(each["pieces"] for each in lines if each["number"] == found.chapter)
            times = [
                ms + heard[-1] - begin for number, ms, begin, _ in pieces if number == found.chunk
            ]
            assert found.at_ms in times


NOTED = "# One\n\nThe lamp[^1] was lit.\n\nNobody on the pier\nsaw it.\n\n[^1]: Brass, of course.\n"


@pytest.mark.parametrize(("line", "word"), [(3, "The"), (5, "Nobody"), (6, "saw"), (8, "Brass,")])
def test_a_line_is_found_beside_a_note_that_is_read_at_its_mark(
    line: int, word: str, tmp_path: Path
) -> None:
    at = Desk(tmp_path)
    source = at.write("story.md", NOTED)
    assert at.convert(source, request=replace(SILENT, notes="inline", language="en")) == 0
    found = find_time_of(source, [tmp_path], ChunkCache(tmp_path / "cache"), line=line)
    assert (found.word, found.place.line) == (word, line)


def test_later_text_is_heard_later(at: Desk) -> None:
    first = [sought(at, text=word).at_ms for word in WORDS[:4]]
    assert first == sorted(first)
    assert len(set(first)) == 4


@pytest.mark.parametrize(("line", "text"), [(2, ""), (99, ""), (0, "no such words")])
def test_what_was_not_spoken_is_told(at: Desk, line: int, text: str) -> None:
    with pytest.raises(UserError, match=r"story\.txt"):
        sought(at, line=line, text=text)


def test_a_file_without_a_record_is_told(at: Desk) -> None:
    with pytest.raises(UserError, match="record"):
        find_words_at(at.write("music.mp3", b""), 0, ChunkCache(at.folder))


def test_a_time_after_the_end_is_told(at: Desk) -> None:
    with pytest.raises(UserError, match="ends at"):
        find_words_at(at.folder / "story/001 - Chapter 1.mp3", 10_000_000, ChunkCache(at.folder))


def test_the_record_explains_the_run(at: Desk) -> None:
    record = read_manifest(at.folder / "story/tts-book.jsonl")
    (run,) = record["run"]
    assert run["voice"]["backend"] == "silent"
    assert run["source"] == str((at.folder / "story.txt").resolve())
    assert record["event"][0]["event"] == "JobStarted"
    assert record["event"][-1]["event"] == "JobDone"
    assert sorted(chapter["number"] for chapter in record["chapter"]) == [1, 2]


def test_a_run_over_a_part_keeps_what_is_known_of_the_rest(at: Desk) -> None:
    path = at.folder / "story/tts-book.jsonl"
    path.write_text(path.read_text("utf-8") + "damaged line\n", "utf-8")
    at.convert(at.folder / "story.txt")
    assert sorted(chapter["number"] for chapter in read_manifest(path)["chapter"]) == [1, 2]


def test_a_book_of_one_file_has_its_record_beside_it(at: Desk) -> None:
    source = at.write("single.txt", STORY.partition("Chapter 2")[0])
    assert at.convert(source, request=replace(SILENT, quiet=True)) == 0
    assert (at.folder / "single.tts-book.jsonl").exists()
    cache = ChunkCache(at.folder / "cache")
    assert find_time_of(source, [at.folder], cache, text="gull").file == at.folder / "single.mp3"


@pytest.mark.parametrize("format", ["m4b", "opus", "mp3book", "mp3,m4b", "m4b,opus"])
@pytest.mark.parametrize("word", ["lamp", "Seven"])
def test_a_file_of_the_whole_book_is_asked_like_a_chapter(
    tmp_path: Path, format: str, word: str
) -> None:
    at = Desk(tmp_path)
    request = replace(SILENT, format=format)
    assert at.convert(at.write("story.txt", STORY), request=request) == 0
    cache = ChunkCache(tmp_path / "cache")
    whole = at.written()[-1]
    found = sought(at, text=word)
    if "mp3" in format.split(","):  # found in its chapter's own file
        assert found.file.parent.name == "story"
        before_ms = {"lamp": 0, "Seven": duration_ms(tmp_path / "story", 1)}[word]
    else:
        assert found.file in at.written()
        before_ms = 0
    again = find_words_at(whole, before_ms + found.at_ms + 60, cache)
    assert (again.word.strip("."), again.place) == (word, found.place)
    assert again.file == whole
    with pytest.raises(UserError, match="ends at"):
        find_words_at(whole, 10_000_000, cache)


def duration_ms(folder: Path, number: int) -> int:
    chapters = {chapter["number"]: chapter for chapter in read_lines(folder / NAME, "chapter")}
    return int(chapters[number]["duration_ms"])


def test_an_excerpt_is_asked_like_a_chapter(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    source = at.write("story.txt", STORY)
    assert at.convert(source, request=replace(SILENT, start="2", stop="2")) == 0
    (file,) = at.written()
    found = find_words_at(file, 3_000, ChunkCache(tmp_path / "cache"))
    assert found.chapter == 2
    assert sought(at, text="Seven").file == file
    assert at.convert(source, request=replace(SILENT, start="1", stop="1")) == 0
    with pytest.raises(UserError, match="not in what was spoken"):
        sought(at, text="Seven")


def test_an_excerpt_may_begin_within_a_chapter(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    lines = [f"Ship {n} came home on day {n}, and nobody on the pier saw it." for n in range(90)]
    request = replace(SILENT, start="1/3", stop="1/4")
    assert at.convert(at.write("story.txt", "\n".join(lines)), request=request) == 0
    (file,) = at.written()
    cache = ChunkCache(tmp_path / "cache")
    for at_ms in (5_000, 100_000):
        found = find_words_at(file, at_ms, cache)
        assert sought(at, text=found.sentence).file == file
        assert found.chunk in (3, 4)


def test_what_is_not_written_yet_is_told_with_its_chunk(tmp_path: Path) -> None:
    def answer(text: str, attempt: int) -> Speech | BackendError:
        return BackendRefused("no") if "broken" in text else spoken(text)

    source = tmp_path / "book.txt"
    job_of(tmp_path, prepared(tmp_path, ScriptedBackend(answer)))
    (lost,) = read_lines(tmp_path / "book" / NAME, "unwritten")
    assert (lost["number"], len(lost["chunks"])) == (2, 2)
    with pytest.raises(UserError, match="chunk 2/2, whose chapter is not written yet"):
        find_time_of(source, [tmp_path], ChunkCache(tmp_path / "cache"), text="broken")
    job_of(tmp_path, prepared(tmp_path, ScriptedBackend()))
    assert not list(read_lines(tmp_path / "book" / NAME, "unwritten"))


def test_a_part_that_is_spoken_again_keeps_what_is_known_of_the_rest(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    source, request = at.write("story.txt", STORY), replace(SILENT, format="m4b")
    at.convert(source, request=request)
    at.convert(source, request=replace(request, redo="2"))
    assert [sought(at, text=word).chapter for word in ("lamp", "Seven")] == [1, 2]


WORD_MARKS = (
    Mark("sentence", 100, 900, 0, 10),
    Mark("word", 110, 400, 0, 4),
    Mark("word", 500, 900, 5, 10),
)
SENTENCE_MARKS = (Mark("sentence", 100, 900, 0, 10), Mark("sentence", 1_000, 2_000, 11, 21))


@pytest.mark.parametrize(
    ("marks", "sound_ms", "offset", "exact"),
    [
        (WORD_MARKS, 0, 0, True),
        (WORD_MARKS, 450, 0, True),
        (WORD_MARKS, 700, 5, True),
        (SENTENCE_MARKS, 50, 0, True),
        (SENTENCE_MARKS, 1_500, 16, False),
        ((), 1_000, 10, False),
        ((), 9_000, 20, False),
    ],
)
def test_the_character_that_is_heard(
    marks: tuple[Mark, ...], sound_ms: int, offset: int, exact: bool
) -> None:
    assert Timing(marks, 2_100, 21).offset(sound_ms) == (offset, exact)


@pytest.mark.parametrize(
    ("marks", "offset", "sound_ms", "exact"),
    [
        (WORD_MARKS, 6, 500, True),  # not where its sentence begins
        (WORD_MARKS, 10, 2_100 * 10 // 21, False),
        (SENTENCE_MARKS, 16, 1_500, False),
        (SENTENCE_MARKS, 10, 1_000, False),
        ((), 7, 700, False),
    ],
)
def test_the_moment_of_a_character(
    marks: tuple[Mark, ...], offset: int, sound_ms: int, exact: bool
) -> None:
    assert Timing(marks, 2_100, 21).moment(offset) == (sound_ms, exact)


@pytest.mark.parametrize(
    ("text", "offset", "start", "word"),
    [
        ("I think so.", 6, 2, "think"),
        ("I think so.", 7, 8, "so."),
        ("— Who is there?", 0, 2, "Who"),
        ("End. —", 5, 5, ""),
        ("灯" * 90, 50, 50, "灯" * 40),
    ],
)
def test_the_word_around_a_character(text: str, offset: int, start: int, word: str) -> None:
    assert word_at(text, offset) == (start, word)


@pytest.mark.parametrize(("sound_ms", "file_ms"), [(0, 50), (300, 150), (550, 350), (900, 650)])
def test_sound_that_is_not_in_the_file_is_told_where_it_is_cut(sound_ms: int, file_ms: int) -> None:
    assert nearest_ms([[1, 50, 200, 300], [1, 350, 600, 300]], sound_ms) == file_ms


def told_of(at: Desk, path: Path, time: str = "", **wanted: Any) -> list[str]:
    usual: dict[str, Any] = {"line": 0, "text": "", "out": None, "cache": None, "play": False}
    assert at.run(where(at.here(), path, time, **(usual | wanted))) == 0
    return at.out.getvalue().splitlines()


def value(lines: Sequence[str], name: str) -> str:
    (found,) = (line for line in lines if f"{line} ".startswith(f"{name} "))
    return found[len(name) :].strip()


def test_words_are_found_wherever_the_files_were_put(at: Desk) -> None:
    out = at.folder / "far" / "away"
    source = at.write("texts/tale.txt", STORY)
    assert at.convert(source, request=replace(SILENT, output=out, layout="audiobookshelf")) == 0
    sound = value(told_of(at, source, text="gull"), "sound")
    assert (at.folder / sound.partition(" at ")[0]).is_file()
    assert sound.startswith(str(Path("far/away")))


def test_marks_between_words_need_not_be_given(at: Desk) -> None:
    assert sought(at, text='twice. "Who is there?" asked').word == "twice."


def test_more_places_of_the_words_are_told(at: Desk) -> None:
    assert (
        value(told_of(at, at.folder / "story.txt", text="Chapter"), "also") == "at   story.txt:7:1"
    )
    assert not any(line.startswith("also") for line in told_of(at, at.folder / "story.txt", line=1))


def test_the_cache_of_the_run_is_asked(at: Desk) -> None:
    own = at.folder / "own cache"
    source = at.write("tale.txt", STORY.replace("gull", "tern"))
    assert at.convert(source, request=replace(SILENT, cache=own)) == 0
    lines = told_of(at, source, text="tern")
    assert Path(value(lines, "entry")).is_relative_to(own)
    shutil.rmtree(own)
    gone = told_of(at, source, text="tern")
    assert value(gone, "entry").endswith("(gone, or another recording since)")
    assert "about" in value(gone, "sound")
    assert value(gone, "word") == value(lines, "word")


def test_without_the_sound_a_time_leads_near_its_words(at: Desk) -> None:
    found = sought(at, text="keeper")
    shutil.rmtree(at.folder / "cache")
    again = find_words_at(found.file, found.at_ms, ChunkCache(at.folder / "cache"))
    assert (again.sentence, again.exact, again.entry) == (found.sentence, False, None)


def test_another_take_is_not_taken_for_the_sound_of_a_file(at: Desk) -> None:
    record = at.folder / "story" / NAME
    first, *_ = read_lines(record, "made")
    _, (take, *_) = first["taken"]
    text = record.read_text("utf-8")
    record.write_text(text.replace(f'["{take}", ', '["another", '), "utf-8")
    file, cache = at.folder / "story/001 - Chapter 1.mp3", ChunkCache(at.folder / "cache")
    assert [find_words_at(file, ms, cache).entry is None for ms in (100, 4_000)] == [False, True]


@pytest.mark.parametrize("copied", [True, False])
def test_a_folder_that_was_moved_with_its_source_is_known(at: Desk, copied: bool) -> None:
    moved = at.folder / "moved"
    shutil.copytree(at.folder, moved)
    if not copied:
        (at.folder / "story.txt").unlink()
    there = Desk(moved)
    lines = told_of(there, moved / "story.txt", text="gull", cache=at.folder / "cache")
    assert value(lines, "sound").startswith("story")
    assert value(lines, "speak it again:").startswith("tts-book convert")


def test_a_file_that_was_moved_alone_leads_back_to_its_source(at: Desk) -> None:
    shutil.copytree(at.folder / "story", at.folder / "phone" / "story")
    lines = told_of(Desk(at.folder / "phone"), at.folder / "phone/story/001 - Chapter 1.mp3", "3")
    assert value(lines, "speak it again:").startswith(f"cd {shlex.quote(str(at.folder))} && ")


@pytest.mark.parametrize(
    ("path", "time", "text", "told"),
    [
        ("none.mp3", "1", "", "none.mp3 is not there"),
        ("story", "1", "", "is a folder: name one of the audio files"),
        ("story.txt", "1", "", "not an audio file: for a text, add --line"),
        ("none.txt", "", "gull", "none.txt is not there"),
        ("story/001 - Chapter 1.mp3", "", "no such words", "not in what was spoken"),
        ("story/001 - Chapter 1.mp3", "1:00:00", "", "ends at 0:00:1[0-9], before 1:00:00"),
        ("story.txt", "", "", "Say what to look for"),
    ],
)
def test_what_cannot_be_asked_so_is_told(
    at: Desk, path: str, time: str, text: str, told: str
) -> None:
    with pytest.raises(UserError, match=told):
        told_of(at, at.folder / path, time, text=text)


@pytest.mark.parametrize("place", ["story", "story/002 - Chapter 2.mp3", "."])
def test_words_are_found_in_what_was_written(at: Desk, place: str) -> None:
    lines = told_of(at, at.folder / place, text="gull")
    assert lines[0] == told_of(at, at.folder / "story.txt", text="gull")[0]


@pytest.mark.skipif(os.name == "nt", reason="a shell script is the player")
@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (0, "", ""),
        (
            0,
            "ALSA: no card\nNo more to try, audio open failed.",
            "audio open failed",
        ),
        (0, "[ao] Failed to initialize audio driver 'pulse'", "Failed to initialize audio driver"),
        (3, "out of memory", "ended with code 3: .*: out of memory"),
    ],
)
def test_a_player_without_sound_is_a_failure(at: Desk, code: int, said: str, told: str) -> None:
    player = at.write("bin/ffplay", f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit {code}\n")
    player.chmod(0o755)
    here = replace(at.here(), environ={"PATH": f"{player.parent}{os.pathsep}{os.environ['PATH']}"})
    file = at.folder / "story/001 - Chapter 1.mp3"
    playing = where(here, file, "1", line=0, text="", out=None, cache=None, play=True)
    if not told:
        assert at.run(playing) == 0
        return
    with pytest.raises(AudioError, match=told):
        at.run(playing)


def test_words_are_sought_in_the_file_that_is_named(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    first, second = (at.write(f"tales/{n}.txt", STORY) for n in (1, 2))
    assert at.run(batch(at.here(), SILENT, first.parent)) == 0
    found = [value(told_of(at, path, text="gull"), "text") for path in (first, second)]
    assert found == ["tales/1.txt:5:3", "tales/2.txt:5:3"]
    assert value(told_of(at, first.parent, text="gull"), "also") == "at   tales/2.txt:5:3"


def test_words_across_the_border_of_two_chunks_are_found(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    sentences = [f"The {n}th boat came home late, and nobody asked it why." for n in range(90)]
    source = at.write("story.txt", "Chapter 1\n\n" + " ".join(sentences))
    assert at.convert(source) == 0
    (manifest,) = tmp_path.glob(f"*{NAME}")
    (chapter,) = read_lines(manifest, "chapter")
    chunks = chapter["chunks"]
    assert len(chunks) > 3
    for before, after in pairwise(chunks):
        words = " ".join(before["text"].split()[-3:] + after["text"].split()[:4])
        found = sought(at, text=words)
        assert found.chunk == before["number"]
        assert found.word == words.split()[0]
