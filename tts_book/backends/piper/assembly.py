"""Puts the utterances of a chunk together, with the pauses and marks that belong to them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tts_book.backends.piper.model import Utterance
from tts_book.backends.piper.text_rules import PartEnd, SayableParagraph, SentencePart
from tts_book.backends.piper.word_alignment import align_words, group_phonemes, spread_words
from tts_book.model import Mark, Speech

PARAGRAPH_MS = 900
_PAUSES_MS = {PartEnd.CLAUSE: 200, PartEnd.SENTENCE: 600}
# What the pauses are, for a cache key.
PAUSES = "/".join(map(str, (*_PAUSES_MS.values(), PARAGRAPH_MS)))
_SAMPLE_BYTES = 2
_TOKEN = re.compile(r"\S+")
_Span = tuple[int, int]


class Assembly:
    """The sound of `text` so far. `slowness` stretches the pauses as it stretches the speech."""

    def __init__(self, text: str, rate_hz: int, slowness: float) -> None:
        self._text = text
        self._rate_hz = rate_hz
        self._slowness = slowness
        self._sound: list[bytes] = []
        self._samples = 0
        self._silent_end = 0
        self._pause_ms = 0
        self._words: list[Mark] = []
        self._sentences: list[Mark] = []
        self._sentence: tuple[int, int] | None = None  # its first sample and first character

    def add(
        self, paragraph: SayableParagraph, piece: SentencePart, utterances: Sequence[Utterance]
    ) -> None:
        """Adds what was heard for one piece."""
        if not utterances:
            return
        self._wait(utterances[0].begins)
        start = self._samples
        times = self._times(paragraph.text[piece.start : piece.stop], utterances)
        for utterance in utterances:
            self._append(utterance.audio)
        self._silent_end = len(utterances[-1].audio) // _SAMPLE_BYTES - utterances[-1].ends
        self._mark_words(paragraph, piece, times)
        first_heard = start + utterances[0].begins
        first_word = times[0][1][0] if times else first_heard
        self._mark_sentence(paragraph, piece, min(first_heard, first_word))
        self._pause_ms = _PAUSES_MS[piece.after]

    def end_paragraph(self) -> None:
        """The next piece begins a new paragraph."""
        if self._samples:
            self._pause_ms = PARAGRAPH_MS

    def speech(self) -> Speech:
        """All of it. No sound where nothing was added."""
        marks = sorted(
            (*self._sentences, *self._words),
            key=lambda mark: (mark.start_ms, mark.start, -mark.stop),
        )
        return Speech(b"".join(self._sound), "pcm", self._rate_hz, tuple(marks))

    def _wait(self, silent_start: int) -> None:
        """Fills up what silence there is already to the pause that belongs here."""
        wanted = round(self._pause_ms * self._slowness * self._rate_hz / 1_000)
        missing = wanted - self._silent_end - silent_start
        if self._samples and missing > 0:
            self._append(bytes(_SAMPLE_BYTES * missing))

    def _append(self, audio: bytes) -> None:
        self._sound.append(audio)
        self._samples += len(audio) // _SAMPLE_BYTES

    def _times(self, said: str, utterances: Sequence[Utterance]) -> list[tuple[_Span, _Span]]:
        """Characters of `said`, and samples of the whole sound, for each word in it."""
        tokens = [found for found in _TOKEN.finditer(said) if any(map(str.isalnum, found.group()))]
        words = [found.group() for found in tokens]
        at, heard = self._samples, []
        for utterance in utterances:
            heard += group_phonemes(utterance.timed, at)
            at += len(utterance.audio) // _SAMPLE_BYTES
        last = at - len(utterances[-1].audio) // _SAMPLE_BYTES + utterances[-1].ends
        times = align_words(words, heard) or spread_words(
            words, self._samples + utterances[0].begins, last
        )
        return [
            (found.span(), (min(begin, last), min(end, last)))
            for found, (begin, end) in zip(tokens, times, strict=True)
        ]

    def _mark_words(
        self, paragraph: SayableParagraph, piece: SentencePart, times: Sequence[tuple[_Span, _Span]]
    ) -> None:
        for (first, last), (begin, end) in times:
            source = paragraph.source(piece.start + first, piece.start + last)
            start, stop = self._trimmed(*source)
            previous = self._words[-1] if self._words else None
            if previous and start < previous.stop:
                # Two spoken words for one written, as in "$5": one mark.
                start, begin_ms = previous.start, previous.start_ms
                self._words.pop()
                stop = max(stop, previous.stop)
            else:
                begin_ms = self._ms(begin)
            if start < stop:
                self._words.append(Mark("word", begin_ms, self._ms(end), start, stop))

    def _mark_sentence(
        self, paragraph: SayableParagraph, piece: SentencePart, first_sample: int
    ) -> None:
        start, stop = self._trimmed(*paragraph.source(piece.start, piece.stop))
        if self._sentence is None:
            self._sentence = first_sample, start
        if piece.after is PartEnd.SENTENCE:
            begin, first = self._sentence
            self._sentence = None
            first = max(first, self._sentences[-1].stop if self._sentences else 0)
            first, stop = self._trimmed(first, stop)
            end_ms = self._ms(self._samples - self._silent_end)
            if first < stop:
                self._sentences.append(Mark("sentence", self._ms(begin), end_ms, first, stop))

    def _trimmed(self, start: int, stop: int) -> _Span:
        while start < stop and self._text[stop - 1].isspace():
            stop -= 1
        while start < stop and self._text[start].isspace():
            start += 1
        return start, stop

    def _ms(self, sample: int) -> int:
        return sample * 1_000 // self._rate_hz
