"""The silent backend: as long as the text, and quick enough for the longest novels."""

from __future__ import annotations

import asyncio

import pytest

from tts_book.backends import Backend, Settings
from tts_book.backends.contract import BackendContract, duration_ms
from tts_book.backends.silent import make
from tts_book.model import Voice

READER = Voice("reader", "silent", "anyone", language="en")


class TestSilent(BackendContract):
    voice = READER
    knows_all_voices = True

    def backend(self) -> Backend:
        return make(Settings())


@pytest.mark.parametrize(
    ("language", "rate_pct", "seconds"),
    [
        ("en", 0, 100 / 15.2),
        ("en-GB", 0, 100 / 15.2),
        ("ru", 0, 100 / 13.6),
        ("", 0, 100 / 14.5),
        ("en", 100, 50 / 15.2),
        ("en", -50, 200 / 15.2),
        ("en", -100, 1_000 / 15.2),
    ],
)
def test_lasts_as_long_as_the_text_would(language: str, rate_pct: int, seconds: float) -> None:
    voice = Voice("v", "silent", "x", language=language, rate_pct=rate_pct)
    speech = asyncio.run(make(Settings()).speak("abcd " * 20, voice))
    assert duration_ms(speech) == pytest.approx(seconds * 1_000, abs=24)


def test_sound_is_whole_frames_of_silence() -> None:
    speech = asyncio.run(make(Settings()).speak("Hush.", READER))
    assert speech.encoding == "mp3"
    assert len(speech.audio) % 144 == 0
    assert {speech.audio[offset : offset + 4] for offset in range(0, len(speech.audio), 144)} == {
        bytes.fromhex("fff364c4")
    }


def test_every_word_has_its_mark() -> None:
    text = "One, two  three\n\nfour."
    marks = asyncio.run(make(Settings()).speak(text, READER)).marks
    assert [text[mark.start : mark.stop] for mark in marks] == ["One,", "two", "three", "four."]
