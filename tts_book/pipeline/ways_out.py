"""What is said of a voice that can or cannot speak, and the ways out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tts_book.backends import Health
from tts_book.errors import TtsBookError
from tts_book.model import Voice

AUTO = "auto"
ONLINE = "edge"


class EngineGone(TtsBookError):
    """The book is half spoken and the engine that spoke it does not answer: exit 1."""


def waiting(health: Health) -> str:
    """Why a service that does not answer is taken all the same."""
    return f"{health.detail}; asking again until it answers"


def gone(voice: Voice, health: Health) -> EngineGone:
    """The book's engine is away."""
    return EngineGone(
        f"This book is half spoken by {voice.name} ({voice.backend}), which cannot go on now: "
        f"{health.detail}. Run the same command again when it answers, or begin anew with another "
        "voice: --voice NAME."
    )


def why(health: Health, reasons: Mapping[str, str]) -> str:
    """Why this voice, and what kept those before it away."""
    if not reasons:
        return health.detail
    passed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return f"{health.detail} ({passed})"


def cannot(voice: Voice, health: Health) -> str:
    """A named voice that cannot speak now."""
    mend = f" {health.mend}" if health.mend else ""
    return f'The voice "{voice.name}" cannot speak now: {health.detail}.{mend}'


def nobody(
    language: str,
    reasons: Mapping[str, str],
    voices: Sequence[Voice],
    asked: str,
    healths: Mapping[str, Health],
) -> str:
    """No voice can speak this language, and the ways out."""
    tried = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    ways = "; or ".join(_ways_out(voices, asked, healths))
    return (
        f"No voice here can speak {language} now ({tried or 'voices.toml names none'}). "
        f"Ways out: {ways}."
    )


def _ways_out(voices: Sequence[Voice], asked: str, healths: Mapping[str, Health]) -> Iterator[str]:
    """What would help with the backend that was asked for, or with any."""
    if asked in (AUTO, "", ONLINE):
        yield "go online"
    if asked in (AUTO, "", "piper"):
        piper = healths.get("piper")
        mend = piper.mend if piper and not piper.usable else ""
        first = f"{mend}, then " if mend and "voices install" not in mend else ""
        local = next((voice.id for voice in voices if voice.backend == "piper"), "--list")
        yield f"{first}tts-book voices install {local}"
    if asked == "espeak" and (robot := healths.get(asked)) and robot.mend:
        yield robot.mend
    if asked != "espeak":
        yield "take a robotic voice with --backend espeak"
    else:
        yield "leave --backend out"
