"""Marks are brought onto the sound that they mean, and pauses are found where sentences end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import tones
from tts_book import audio
from tts_book.audio.timeline import find_inner_pauses, measure_shift, place_marks
from tts_book.model import Break, Chunk, Mark
from tts_book.text.sentences import Splitter

TEXT = "The lamp burns. Who is there, by the door? Nobody came.\n\nA week went by. It rained."
FRAMES, TRUE_MARKS = tones.speech(TEXT, rest_ms=700)
SOUND = audio.analyse(FRAMES)
LATE_MS = 46  # what the encoder adds to the start of a recording


def moved(marks: tuple[Mark, ...], by_ms: int) -> tuple[Mark, ...]:
    return tuple(replace(m, start_ms=m.start_ms + by_ms, stop_ms=m.stop_ms + by_ms) for m in marks)


@pytest.mark.parametrize("by_ms", [-156, -100, -67, LATE_MS - 31, LATE_MS + 60])
@pytest.mark.parametrize("kind", ["word", "sentence"])
def test_marks_are_brought_onto_the_sound(by_ms: int, kind: str) -> None:
    marks = TRUE_MARKS if kind == "word" else tones.sentences(TEXT, TRUE_MARKS)
    assert abs(measure_shift(moved(marks, by_ms), SOUND) - (LATE_MS - by_ms)) <= 3
    for placed, true in zip(place_marks(moved(marks, by_ms), SOUND), marks, strict=True):
        assert abs(placed.start_ms - true.start_ms - LATE_MS) <= 3


@pytest.mark.parametrize("by_ms", [LATE_MS, LATE_MS - 20, LATE_MS + 20])
def test_exact_marks_stay(by_ms: int) -> None:
    marks = moved(TRUE_MARKS, by_ms)
    assert place_marks(marks, SOUND) == marks


def test_an_entry_of_an_earlier_analysis_is_measured_by_its_frames() -> None:
    known = replace(SOUND, version=1, runs_ms=())
    assert abs(measure_shift(moved(TRUE_MARKS, -90), known) - (LATE_MS + 90)) <= 12


@pytest.mark.parametrize("marks", [(), (Mark("word", 90_000, 90_100, 0, 3),)])
def test_without_marks_near_any_sound_nothing_moves(marks: tuple[Mark, ...]) -> None:
    assert place_marks(marks, SOUND) == marks


@pytest.mark.parametrize("by_ms", [0, LATE_MS, -156])
@pytest.mark.parametrize("kind", ["word", "sentence"])
def test_every_end_has_its_silence(by_ms: int, kind: str) -> None:
    marks = TRUE_MARKS if kind == "word" else tones.sentences(TEXT, TRUE_MARKS)
    chunk = Chunk(1, 1, 0, len(TEXT), TEXT, TEXT, Break.CHAPTER)
    found = list(find_inner_pauses(chunk, moved(marks, by_ms), SOUND, Splitter("en")))
    assert [TEXT[: pause.offset].rsplit(maxsplit=1)[-1] for pause in found] == [
        "burns.", "door?", "came.", "by."
    ]  # fmt: skip
    assert [pause.kind for pause in found] == [
        Break.SENTENCE, Break.SENTENCE, Break.PARAGRAPH, Break.SENTENCE
    ]  # fmt: skip
    for pause in found:
        assert pause.length_ms == pytest.approx(700 + tones.WORD_MS - 5 * tones.PIP_MS, abs=20)
