"""Speech into words, with faster-whisper. A model lies in a folder; nothing is downloaded here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tts_book.errors import UserError
from tts_book.output.inspection.ear.pace import HeardWord
from tts_book.text.language_tags import primary_language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Shorter, and the language cannot be told from the sound.
_LANGUAGE_LEAST_S = 5.0
_RATE_HZ = 16_000
# A stretch that the model itself takes for silence.
_NO_SPEECH, _UNLIKELY = 0.6, -1.0


@dataclass(frozen=True, slots=True)
class SpokenLanguage:
    """The language of a sound, and how sure that is (0 to 1)."""

    code: str
    share: float


class Recognizer(Protocol):
    """Hears samples: mono, 16 kHz, floating point. Safe for several threads at once."""

    name: str
    """Tells this model from any other: what it hears is kept under it."""

    workers: int
    """How many threads keep it busy."""

    def transcribe(self, samples: NDArray[np.float32], language: str) -> str:
        """The words that are heard."""
        ...

    def transcribe_carefully(
        self, samples: NDArray[np.float32], language: str
    ) -> tuple[HeardWord, ...]:
        """The words that are heard by a longer search, each with its time."""
        ...

    def detect_language(self, samples: NDArray[np.float32]) -> SpokenLanguage | None:
        """The language that is heard, None where that cannot be told."""
        ...

    def check_language(self, language: str) -> None:
        """Raises UserError for a language that the model does not know."""
        ...


class WhisperRecognizer:
    """A model of faster-whisper in a folder, one thread for each core."""

    def __init__(self, folder: Path, cores: int = 0) -> None:
        self.workers = cores or os.cpu_count() or 1
        self.name = folder.name
        self._model = _load(folder, self.workers)

    def check_language(self, language: str) -> None:
        """See `Recognizer`."""
        if not self._model.model.is_multilingual and primary_language(language) != "en":
            raise UserError(
                f"The model {self.name} knows English only, and the book is in "
                f"{primary_language(language)}: take one without .en, such as base."
            )

    def transcribe(self, samples: NDArray[np.float32], language: str) -> str:
        """See `Recognizer`."""
        segments = self._transcribe(samples, language, beam_size=1, temperature=0.0)
        return " ".join(segment.text.strip() for segment in segments)

    def transcribe_carefully(
        self, samples: NDArray[np.float32], language: str
    ) -> tuple[HeardWord, ...]:
        """See `Recognizer`."""
        segments = self._transcribe(
            samples, language, beam_size=5, temperature=(0.0, 0.2, 0.4), word_timestamps=True
        )
        return tuple(
            HeardWord(word.word.strip(), word.start, word.end)
            for segment in segments
            for word in segment.words
            if word.word.strip()
        )

    def _transcribe(
        self, samples: NDArray[np.float32], language: str, **options: Any
    ) -> Iterator[Any]:
        segments, _ = self._model.transcribe(
            samples,
            language=primary_language(language),
            condition_on_previous_text=False,
            **options,
        )
        return (
            segment
            for segment in segments
            if not (segment.no_speech_prob > _NO_SPEECH and segment.avg_logprob < _UNLIKELY)
        )

    def detect_language(self, samples: NDArray[np.float32]) -> SpokenLanguage | None:
        """See `Recognizer`."""
        if not self._model.model.is_multilingual or len(samples) < _LANGUAGE_LEAST_S * _RATE_HZ:
            return None
        code, share, _ = self._model.detect_language(samples)
        return SpokenLanguage(code, share)


def _load(folder: Path, workers: int) -> Any:
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise UserError(
            'Proof-listening needs the extra "ear": pip install "tts-book[ear]".'
        ) from error
    try:
        return WhisperModel(
            str(folder),
            device="cpu",
            compute_type="int8",
            cpu_threads=1,
            num_workers=workers,
            local_files_only=True,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise UserError(f"{folder} is not a model of faster-whisper: {error}") from error
