"""A chunk's text as sound: whole MP3 frames and what is known of them, and who makes that.

`chunk_speaker` makes it in this process, `cluster` has it made on other machines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tts_book import audio
from tts_book.backends import Backend
from tts_book.errors import AudioError, BackendIncomplete
from tts_book.events import Listener
from tts_book.model import Chunk, Doubt, Mark, Sound, Speech, Voice
from tts_book.synthesis.rate_limiter import Tools

# Between the halves of a chunk: two frames, so that neither decodes into the other.
JOINT_MS = 48
# Text without a letter or digit is never sent; it lasts as long as a short breath.
UNSPEAKABLE_MS = 240


@dataclass(frozen=True, slots=True)
class SpokenAudio:
    """A text, spoken: whole MP3 frames and what is known of them. `speech_s` is for how long
    somebody speaks, where the backend tells; `worker` names the machine of a cluster."""

    frames: bytes
    sound: Sound
    marks: tuple[Mark, ...]
    doubts: tuple[Doubt, ...]
    attempts: int
    speech_s: float = 0.0
    worker: str = ""


@dataclass(frozen=True, slots=True)
class ChunkCall:
    """Whose chunk it is and how it shall be spoken; `key` is its cache key."""

    order: int
    book: str
    chunk: Chunk
    voice: Voice
    book_id: int = 1
    key: str = ""


class Speaking(Protocol):
    """Speaks chunks with one backend, for a whole run."""

    @property
    def most(self) -> int:
        """How many chunks may be spoken at once, as far as is known now."""
        ...

    @property
    def stopped(self) -> str:
        """Why the run can get no more from this backend, or ""."""
        ...

    async def speak(self, call: ChunkCall) -> SpokenAudio:
        """The chunk's `spoken` text as one recording. Raises BackendError where no remedy helps."""
        ...

    async def close(self) -> None:
        """Ends whatever it began."""
        ...


SpeakerFactory = Callable[[Backend, Listener, Tools], Speaking]


def measure_speech(speech: Speech, attempts: int) -> SpokenAudio:
    """Frames and their analysis. Raises BackendIncomplete if they are not whole."""
    try:
        if speech.encoding == "pcm":
            frames = audio.encode(audio.trim_pcm(speech.audio, speech.rate_hz), speech.rate_hz)
            marks = tuple(mark.moved(audio.DELAY_MS) for mark in speech.marks)
        else:
            frames, marks = audio.frames_of(speech.audio), speech.marks
        sound = audio.analyse(frames)
    except AudioError as error:
        raise BackendIncomplete(f"the sound is damaged: {error}") from error
    return SpokenAudio(frames, sound, marks, speech.doubts, attempts)


def make_silence() -> SpokenAudio:
    """What a text is that nobody can say."""
    frames = audio.silence(UNSPEAKABLE_MS)
    return SpokenAudio(frames, audio.analyse(frames), (), (), 0)


def join_halves(halves: list[SpokenAudio], at: int, attempts: int) -> SpokenAudio:
    """Two parts of a text as one, which the second begins `at`; `attempts` were made before."""
    left, right = halves
    joint = audio.silence(JOINT_MS, audio.format_at(left.frames))
    frames = left.frames + joint + right.frames
    later_ms = left.sound.duration_ms + JOINT_MS
    return SpokenAudio(
        frames,
        audio.analyse(frames),
        left.marks + tuple(mark.moved(later_ms, at) for mark in right.marks),
        left.doubts + tuple(doubt.moved(at) for doubt in right.doubts),
        attempts + left.attempts + right.attempts,
        left.speech_s + right.speech_s,
    )
