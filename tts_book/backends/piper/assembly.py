"""Puts the utterances of a chunk together, with the pauses and marks that belong to them.

To mark words, they are led to the phonemes that say them. Piper tells how long each phoneme sounds,
and parts them by blanks; but its front end joins small words ("of the" is one group) and says a
number in several. So words and groups are aligned as sentences are in parallel texts: the way
through with the least difference in length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tts_book.backends.piper.model import TimedPhoneme, Utterance
from tts_book.backends.piper.text_rules import PartEnd, SayableParagraph, SentencePart
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


_PUNCTUATION = frozenset(",;:.!?")
_STRESS = frozenset("ˈˌː")
_BETWEEN = frozenset(" ^$")
_PHONEMES_A_DIGIT = 5.0
_MOST_WORDS_A_GROUP = 4
_MOST_GROUPS_A_WORD = 4
_MOST_GROUPS_A_NUMBER = 16
# How many groups off the straight way are looked at.
_MOST_STRAYED = 12
_JOINT_COST = 1.0
_SILENT_COST = 6.0
_PUNCTUATION_COST = 2.5
_NO_WAY = float("inf")
# So many words and so many groups, the phonemes expected of the words, what the step costs by
# itself, and whether the last word has a punctuation mark (None where nothing is led to anything).
_Move = tuple[int, int, float, float, bool | None]


@dataclass(frozen=True, slots=True)
class PhonemeGroup:
    """Phonemes between two blanks: samples `start` to `stop`, how many sound, how it ends."""

    start: int
    stop: int
    phonemes: int
    closes: bool


def group_phonemes(timed: Sequence[TimedPhoneme], start: int = 0) -> list[PhonemeGroup]:
    """The groups of a run of phonemes whose first sample is `start`."""
    found: list[PhonemeGroup] = []
    begin, at, sounds, closes = start, start, 0, False
    for each in (*timed, TimedPhoneme(" ", 0)):
        if each.phoneme in _BETWEEN:
            if sounds:
                found.append(PhonemeGroup(begin, at, sounds, closes))
                sounds, closes = 0, False
            begin = at + each.samples
        elif each.phoneme in _PUNCTUATION:
            closes = True
        elif each.phoneme not in _STRESS:
            sounds += 1
        at += each.samples
    return found


def align_words(words: Sequence[str], heard: Sequence[PhonemeGroup]) -> list[tuple[int, int]]:
    """Samples at which each of `words` begins and ends, in order; words of one group share its
    time by their lengths. Empty where there is nothing to align."""
    if not words or not heard:
        return []
    weights = [_weight(word) for word in words]
    times: list[tuple[int, int]] = []
    for first, last, begin, end in _way(words, weights, heard):
        if begin == end:
            now = times[-1][1] if times else heard[0].start
            times += [(now, now)] * (last - first)
        else:
            times += _shared(weights[first:last], heard[begin].start, heard[end - 1].stop)
    return times


def spread_words(words: Sequence[str], start: int, stop: int) -> list[tuple[int, int]]:
    """Where no phoneme times are known: the words share the whole time by their lengths."""
    return _shared([_weight(word) for word in words], start, stop)


def _shared(weights: Sequence[float], start: int, stop: int) -> list[tuple[int, int]]:
    total = sum(weights)
    times, so_far, begin = [], 0.0, start
    for weight in weights:
        so_far += weight
        end = start + round((stop - start) * so_far / total)
        times.append((begin, end))
        begin = end
    return times


def _weight(word: str) -> float:
    digits = sum(map(str.isdigit, word))
    return max(1.0, sum(map(str.isalpha, word)) + _PHONEMES_A_DIGIT * digits)


def _way(
    words: Sequence[str], weights: Sequence[float], heard: Sequence[PhonemeGroup]
) -> list[tuple[int, int, int, int]]:
    """Steps (first word, last word, first group, last group), half open, over all of both.

    It runs for every sentence, in the time of the engine: what many steps need is made once.
    """
    count, groups = len(words), len(heard)
    sounds = [0, *accumulate(group.phonemes for group in heard)]
    closes = [group.closes for group in heard]
    moves = _list_moves(words, weights, sounds[-1] / sum(weights))
    costs = [[_NO_WAY] * (groups + 1) for _ in range(count + 1)]
    steps: dict[tuple[int, int], tuple[int, int]] = {}
    costs[0][0] = 0.0
    width = _MOST_STRAYED * max(count, groups)
    for i in range(count + 1):
        nearest, farthest = -((width - i * groups) // count), (width + i * groups) // count
        for j in range(max(0, nearest), min(groups, farthest) + 1):
            here = costs[i][j]
            if here == _NO_WAY:
                continue
            for n, m, expected, own_cost, closed in moves[i]:
                if j + m > groups:
                    continue
                cost = abs(expected - (sounds[j + m] - sounds[j])) + own_cost
                if closed is not None and closed != closes[j + m - 1]:
                    cost += _PUNCTUATION_COST
                if here + cost < costs[i + n][j + m]:
                    costs[i + n][j + m] = here + cost
                    steps[i + n, j + m] = (n, m)
    return _walked_back(steps, count, groups)


def _list_moves(words: Sequence[str], weights: Sequence[float], ratio: float) -> list[list[_Move]]:
    """The steps from each word on, and from behind the last."""
    found: list[list[_Move]] = []
    for i, word in enumerate(words):
        expected = [weight * ratio for weight in weights[i : i + _MOST_WORDS_A_GROUP]]
        ends = [each[-1] in _PUNCTUATION for each in words[i : i + _MOST_WORDS_A_GROUP]]
        most = _MOST_GROUPS_A_NUMBER if any(map(str.isdigit, word)) else _MOST_GROUPS_A_WORD
        found.append(
            [
                (1, 0, expected[0], _SILENT_COST, None),
                (0, 1, 0.0, _SILENT_COST, None),
                *(
                    (n, 1, sum(expected[:n]), _JOINT_COST * (n - 1), ends[n - 1])
                    for n in range(1, len(expected) + 1)
                ),
                *((1, m, expected[0], _JOINT_COST * (m - 1), ends[0]) for m in range(2, most + 1)),
            ]
        )
    return [*found, [(0, 1, 0.0, _SILENT_COST, None)]]


def _walked_back(
    steps: dict[tuple[int, int], tuple[int, int]], i: int, j: int
) -> list[tuple[int, int, int, int]]:
    way = []
    while i or j:
        n, m = steps[i, j]
        if n:
            way.append((i - n, i, j - m, j))
        i, j = i - n, j - m
    return way[::-1]
