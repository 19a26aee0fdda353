"""Silence as long as the text would take: for rehearsals, and for tests that need no engine."""

from __future__ import annotations

import re

from tts_book.backends import Health, Limits, Settings, VoiceInfo
from tts_book.model import Mark, Speech, Voice
from tts_book.text.speech_rate import estimate_ms

# MPEG-2 Layer III, 48 kbit/s, 24 kHz, mono: the header the online service uses, then nothing.
_FRAME = bytes.fromhex("fff364c4") + bytes(140)
_FRAME_MS = 24
_WORD = re.compile(r"\S+")


class SilentBackend:
    """Says nothing, for as long as the text deserves. Knows every voice."""

    name = "silent"
    limits = Limits(start=4, most=4)

    def fingerprint(self, voice: Voice) -> str:
        """The same for all voices."""
        return "silent 1"

    async def health(self) -> Health:
        """Always well."""
        return Health(usable=True, detail="silence for rehearsals, no sound")

    async def voices(self) -> tuple[VoiceInfo, ...]:
        """One voice stands for all."""
        note = "any other name will do as well"
        return (VoiceInfo(self.name, "silence", "und", note=note, only_named=True),)

    async def speak(self, text: str, voice: Voice) -> Speech:
        """MP3 frames of silence, with a mark for every word; long words last longer."""
        frames = max(1, round(estimate_ms(text, voice.language, voice.rate_pct) / _FRAME_MS))
        audio = _FRAME * frames
        return Speech(audio, "mp3", marks=_spread(text, frames * _FRAME_MS))

    async def aclose(self) -> None:
        """There is nothing to let go of."""


def _spread(text: str, duration_ms: int) -> tuple[Mark, ...]:
    ms_per_character = duration_ms / len(text) if text else 0.0
    return tuple(
        Mark(
            "word",
            int(found.start() * ms_per_character),
            int(found.end() * ms_per_character),
            found.start(),
            found.end(),
        )
        for found in _WORD.finditer(text)
    )


def make(settings: Settings) -> SilentBackend:
    """The backend; it needs nothing from outside."""
    return SilentBackend()
