"""What is wrong with a finished file is found, and told with its place; what is right passes."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import tones
from tests.cli.test_commands import SILENT, TWO, Desk
from tests.fakes import ScriptedBackend, Time, book, in_time
from tests.output.test_captions import moved
from tts_book.audio.analysis import measure_blocks
from tts_book.cli.commands.verify import check
from tts_book.errors import UserError
from tts_book.model import Break, Chunk, Pauses, Plan, Speech, Voice
from tts_book.output.inspection.verify import files, verify
from tts_book.output.paths import lay_out_book
from tts_book.output.settings import OutputSettings
from tts_book.pipeline.jobs import BookJob, make_keys
from tts_book.pipeline.planning import prepare_output
from tts_book.pipeline.run import Result, convert_jobs
from tts_book.pipeline.source import BookRequest
from tts_book.pipeline.voice_selection import ChosenVoice
from tts_book.synthesis.chunk_cache import ChunkCache

TEXTS = ("It began on a quiet morning. And yet it came.", "Then all was still again, at last.")
VOICE = Voice("reader", "scripted", "one", "en")


def speak(text: str, attempt: int) -> Speech:
    frames, marks = tones.speech(text, rest_ms=400)
    return Speech(frames, "mp3", marks=moved(marks))


def mute(text: str, attempt: int) -> Speech:
    """Forgets all but the first word of the second chapter."""
    frames, marks = tones.speech(text)
    if "still" in text:
        frames = tones.speech("Then", tail_ms=2_500)[0]
    return Speech(frames, "mp3", marks=moved(marks))


def converted(
    folder: Path, formats: tuple[str, ...], answer: Callable[[str, int], Speech] = speak
) -> list[Path]:
    return convert_texts(folder, TEXTS, formats, answer)


def convert_texts(
    folder: Path,
    texts: tuple[str, ...],
    formats: tuple[str, ...],
    answer: Callable[[str, int], Speech] = speak,
) -> list[Path]:
    """The audio files of a book with a chapter for each text, and captions beside them."""
    made = book(*texts)
    chunks = tuple(
        Chunk(n, 1, 0, len(text), text, text, Break.CHAPTER) for n, text in enumerate(texts, 1)
    )
    backend, plan = ScriptedBackend(answer), Plan(made, chunks)
    item = BookJob(
        BookRequest(made, "b", None),
        plan,
        ChosenVoice(VOICE, backend, "by script"),
        make_keys(plan, VOICE, backend),
        lay_out_book(made, "b", None, None, folder, formats),
    )
    prepare_output([item], force=False)
    results: list[Result] = []

    async def work(time: Time) -> None:
        wanted = OutputSettings(captions=("srt",))
        cache, tools = ChunkCache(folder / "cache"), time.tools()
        results.append(
            await convert_jobs([item], Pauses(), cache, lambda event: None, tools, wanted)
        )

    in_time(work)
    return [path for path in results[0].written if path.suffix != ".srt"]


@pytest.mark.parametrize("formats", [("mp3",), ("m4b",), ("mp3", "opus", "mp3book")])
def test_what_is_right_passes(tmp_path: Path, formats: tuple[str, ...]) -> None:
    for path in converted(tmp_path, formats):
        report = verify(path)
        assert report.problems == ()
        assert report.notes == ()
        assert report.measured is not None
        assert report.measured.duration_ms > 3_000


@pytest.mark.parametrize("formats", [("mp3",), ("m4b",)])
def test_words_that_are_not_heard_are_told_with_their_place(
    tmp_path: Path, formats: tuple[str, ...]
) -> None:
    path = converted(tmp_path, formats, mute)[-1]
    told = [problem for problem in verify(path).problems if "letters" in problem.what]
    assert len(told) == 1
    assert told[0].place == "book.txt:1:1"
    assert "Then all was still" in told[0].what
    assert (told[0].at_ms or 0) < 1_000 or formats == ("m4b",)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5_000])


def cut_whole_frames(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -144 * 20])


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-144 * 60 : -144 * 60 + 20] = bytes(20)
    path.write_bytes(data)


def no_sound(path: Path) -> None:
    path.write_bytes(b"music" * 100)


def late_captions(path: Path) -> None:
    captions = path.with_suffix(".srt")
    captions.write_text(captions.read_text("utf-8").replace("00:00:", "00:09:"), "utf-8")


def captions_in_silence(path: Path) -> None:
    measured = verify(path).measured
    assert measured is not None
    end_ms = measured.duration_ms - 300
    line = f"00:00:{(end_ms - 500) / 1_000:06.3f} --> 00:00:{end_ms / 1_000:06.3f}"
    text = f"1\n{line.replace('.', ',')}\nNo words\n"
    path.with_suffix(".srt").write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (cut, "last frame"),
        (cut_whole_frames, "there are"),
        (damage, "damage"),
        (no_sound, "no sound"),
        (late_captions, "after the end"),
        (captions_in_silence, "under a caption"),
    ],
)
def test_harm_is_found(tmp_path: Path, harm: Callable[[Path], None], told: str) -> None:
    path = converted(tmp_path, ("mp3",))[0]
    harm(path)
    assert any(told in problem.what for problem in verify(path).problems)


def test_levels_and_silences() -> None:
    rate_hz, at = 24_000, np.arange(24_000 * 2)
    tone = (np.sin(2 * np.pi * 997 * at / rate_hz) * 0.1 * 32_767).astype(np.int16)
    still = np.zeros(rate_hz * 3, np.int16)
    found = measure_blocks(np.array_split(np.concatenate((tone, still, tone)), 7))
    assert found.duration_ms == 7_000
    assert found.peak_dbfs == pytest.approx(-20, abs=0.1)
    assert found.loudness_lufs == pytest.approx(-23.0, abs=0.5)
    ((start_ms, stop_ms),) = found.silences(1_000)
    assert abs(start_ms - 2_000) <= 30
    assert abs(stop_ms - 5_000) <= 30
    assert found.sounding_ms(0, 2_000) == pytest.approx(2_000, abs=30)
    assert found.sounding_ms(2_100, 4_900) == 0


def test_no_sound_at_all() -> None:
    found = measure_blocks([])
    assert (found.duration_ms, found.peak_dbfs, found.loudness_lufs) == (0, None, None)


# The command --------------------------------------------------------------------------------------


def run(at: Desk, *sources: str, as_json: bool = False, acx: bool = False) -> int:
    at.out, at.err = io.StringIO(), io.StringIO()
    return asyncio.run(check(at.here(), sources, as_json=as_json, acx=acx))


def test_a_rehearsal_is_silent_and_right(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    request = replace(SILENT, format="mp3,m4b", captions="srt")
    at.convert(at.write("книга.txt", TWO), request=request)
    assert run(at, ".") == 0
    assert at.out.getvalue().count("ok ") == 3
    assert "ACX" not in at.out.getvalue() + at.err.getvalue()
    assert run(at, ".", acx=True) == 0
    assert "24 kHz" in at.err.getvalue()
    assert at.out.getvalue().count("ACX") == 3


def test_wrong_files_are_told_and_end_in_1(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    paths = converted(tmp_path, ("mp3",))
    cut(paths[1])
    assert run(at, "b") == 1
    assert "WRONG" in at.out.getvalue()
    assert run(at, str(paths[0]), as_json=True) == 0
    assert json.loads(at.out.getvalue())["ok"] is True


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").mkdir()
    (problem,) = verify(tmp_path / "a.mp3").problems
    assert "cannot be read" in problem.what


@pytest.mark.parametrize("name", ["none.mp3", "empty", "notes.txt"])
def test_what_cannot_be_looked_at_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match=name):
        files([tmp_path / name])
