"""Checks chunks by ear as they come, while others are still being spoken."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

from tts_book.audio.speech_samples import read_samples
from tts_book.output.inspection.ear.proof import describe_differences, judge_samples
from tts_book.output.inspection.ear.recognizer import Recognizer


class LiveProof:
    """Hears the frames of single chunks, in threads of its own. A context that ends them."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._threads = ThreadPoolExecutor(recognizer.workers, "ear")

    def __enter__(self) -> LiveProof:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def find_faults(self, frames: bytes, text: str, language: str) -> tuple[str, ...]:
        """One-line reasons why this is not the text, none where it is. Raises AudioError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hear, frames, text, language)

    def _hear(self, frames: bytes, text: str, language: str) -> tuple[str, ...]:
        samples = read_samples(io.BytesIO(frames))
        differences, spoken = judge_samples(samples, text, language, self._recognizer)
        wrong = [each for each in differences if each.is_error]
        return tuple(describe_differences(wrong, spoken)) if wrong or spoken else ()
