"""What every speech backend promises, as one test class. Made for plug-in authors too:

    from tts_book.backends.contract import BackendContract

class TestMyBackend(BackendContract):
    voice = Voice("reader", "mine", "some-voice-id", language="en")

    def backend(self) -> Backend:
        return make(Settings())
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from tts_book.backends import Backend, Preparing
from tts_book.errors import BackendError, BackendRefused, Failure
from tts_book.model import Mark, Speech, Voice

T = TypeVar("T")

TEXT = (
    "The kettle began to sing before the door was shut. Nobody had lit the stove, and yet the "
    "kitchen was warm!\n\nWho, then, had been here?"
)
ODD_TEXTS = (
    "5",
    "…",
    "* * *",
    "Yes",
    "[[loud]] he read [aloud].",
    "<break time='9s'/> & <speak>",
    "one\x00two\x01three\x1b[0m four",
    "\ud800 lone, \ufffe none, \U0001f600 smile",
    "Он сказал: hello, 世界!",
    "a" * 3_000,
    "word, " * 500,
)


def duration_ms(speech: Speech) -> float:
    """Milliseconds of sound; for MP3 by the 48 kbit/s frames that the services here send."""
    if speech.encoding == "pcm":
        return len(speech.audio) / 2 / speech.rate_hz * 1_000
    return len(speech.audio) / 6


def check_marks(marks: tuple[Mark, ...], text: str, length_ms: float) -> None:
    """Marks are ordered, inside the sound and inside the text, and none is empty."""
    for mark in marks:
        assert 0 <= mark.start_ms <= mark.stop_ms <= length_ms + 1
        assert 0 <= mark.start < mark.stop <= len(text)
        assert text[mark.start : mark.stop].strip()
    for kind in ("word", "sentence"):
        same = [mark for mark in marks if mark.kind == kind]
        for earlier, later in itertools.pairwise(same):
            assert earlier.start_ms <= later.start_ms
            assert earlier.stop <= later.start


class BackendContract:
    """Inherit, name a `voice`, build the `backend`; the rest is tested for you."""

    voice: Voice
    text = TEXT
    characters_per_s = (5.0, 30.0)
    odd_texts: tuple[str, ...] = ODD_TEXTS
    has_marks = True
    knows_all_voices = False

    def backend(self) -> Backend:
        raise NotImplementedError

    def using(self, work: Callable[[Backend], Awaitable[T]]) -> T:
        """Runs `work` with a fresh backend and closes it."""

        async def run() -> T:
            backend = self.backend()
            try:
                return await work(backend)
            finally:
                await backend.aclose()

        return asyncio.run(run())

    def test_has_a_name_and_limits(self) -> None:
        backend = self.backend()
        assert backend.name == self.voice.backend
        assert 1 <= backend.limits.start <= backend.limits.most
        assert backend.limits.spacing_s >= 0

    def test_can_speak_here(self) -> None:
        health = self.using(lambda backend: backend.health())
        assert health.usable
        assert health.detail
        assert "\n" not in health.detail

    def test_lists_its_voices(self) -> None:
        voices = self.using(lambda backend: backend.voices())
        assert voices
        assert len({info.id for info in voices}) == len(voices)
        for info in voices:
            assert info.backend == self.voice.backend
            assert info.id == info.id.strip() != ""
            assert info.language == info.language.strip() != ""
            assert "_" not in info.language
            assert info.gender in ("", "male", "female")
        if not self.knows_all_voices:
            assert self.voice.id in {info.id for info in voices}

    def test_speaks_the_whole_text(self) -> None:
        speech = self.using(lambda backend: backend.speak(self.text, self.voice))
        slowest, fastest = self.characters_per_s
        assert slowest < len(self.text) / (duration_ms(speech) / 1_000) < fastest
        if speech.encoding == "pcm":
            assert len(speech.audio) % 2 == 0
        else:
            assert speech.audio[0] == 0xFF

    def test_marks_lie_in_the_sound_and_in_the_text(self) -> None:
        speech = self.using(lambda backend: backend.speak(self.text, self.voice))
        check_marks(speech.marks, self.text, duration_ms(speech))
        if self.has_marks:
            words = [mark for mark in speech.marks if mark.kind == "word"]
            assert len(words) >= 0.9 * len(self.text.split())
            assert words[-1].stop_ms > duration_ms(speech) / 2

    def test_twice_the_rate_takes_less_time(self) -> None:
        async def both(backend: Backend) -> tuple[Speech, Speech]:
            hurried = replace(self.voice, rate_pct=50)
            return (
                await backend.speak(self.text, self.voice),
                await backend.speak(self.text, hurried),
            )

        usual, hurried = self.using(both)
        assert duration_ms(hurried) < 0.85 * duration_ms(usual)

    def test_fingerprint_does_not_change(self) -> None:
        prints = {self.backend().fingerprint(self.voice) for _ in range(2)}
        assert len(prints) == 1
        assert all(prints)

    def test_what_it_prepares_does_not_change(self) -> None:
        backends = self.backend(), self.backend()
        for text in (self.text, *self.odd_texts):
            prepared = {
                each.prepare(text, self.voice) for each in backends if isinstance(each, Preparing)
            }
            assert len(prepared) <= 1

    def test_odd_texts_are_spoken_or_refused(self) -> None:
        async def all_of_them(backend: Backend) -> None:
            for text in self.odd_texts:
                try:
                    speech = await backend.speak(text, self.voice)
                except BackendError:
                    continue
                assert speech.audio
                check_marks(speech.marks, text, duration_ms(speech))

        self.using(all_of_them)

    def test_speaks_several_at_once(self) -> None:
        texts = [f"Line {number}: the rain stopped." for number in range(6)]

        async def at_once(backend: Backend) -> list[Speech]:
            return await asyncio.gather(*(backend.speak(text, self.voice) for text in texts))

        answers = self.using(at_once)
        for text, speech in zip(texts, answers, strict=True):
            assert duration_ms(speech) > 500
            check_marks(speech.marks, text, duration_ms(speech))

    def test_an_unknown_voice_is_refused_with_a_suggestion(self) -> None:
        if self.knows_all_voices:
            return
        misspelt = replace(self.voice, id=f"{self.voice.id}x")

        async def speak(backend: Backend) -> None:
            await backend.speak(self.text, misspelt)

        with pytest.raises(BackendRefused, match=self.voice.id) as caught:
            self.using(speak)
        assert caught.value.failure is Failure.MISCONFIGURED
        assert caught.value.stops_run
        assert "\n" not in str(caught.value)
        assert "Did you mean" in str(caught.value)

    def test_closes_without_having_spoken(self) -> None:
        asyncio.run(self.backend().aclose())
