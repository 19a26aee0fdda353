"""What a finished reply is like: its sound, its marks, and what may be missing. Pure.

`examine` only measures; whether a measure is odd is decided by `voice_habits`, which knows what
this voice always does. Nothing here trusts the marks alone: a word that they leave out is missing
only if the sound has no room for it either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from tts_book import audio
from tts_book.backends.edge.alignment import Folded, Placed, place_marks
from tts_book.backends.edge.exchange import Reply
from tts_book.backends.edge.mark_timing import (
    LEAST_WORDS,
    SHORT_LETTERS,
    MarkedWord,
    MarkTiming,
    Shape,
    measure_shape,
    time_few_words,
    time_words,
)
from tts_book.model import Sound
from tts_book.text.speech_rate import ms_per_character

TICKS_PER_S = 10_000_000
# The sound before and after a lone sentence and the pauses within it (318 recordings).
SILENCE_S = 1.07
# Letters and digits make four fifths of prose; the rates of speech count all characters.
LETTER_SHARE = 0.8
# A stream made in one piece never points back into bytes that are not there; one that lost some
# messages does so a few times. Many such places mean another encoder.
MOST_CUTS = 3
# A word has room where this share of the time that it needs sounds, beside its neighbours; a
# shorter word than that has been run together with one of them.
_ROOM_SHARE, _LEAST_ROOM_S, _MOST_ROOM_S = 0.15, 0.05, 0.12
# What a digit takes when it is said: "7" as much as "семь", "12" as "двенадцать".
_LETTERS_A_DIGIT = 4
# How far a voice may be from what a text is thought to take, as a share of a letter's time: for its
# words, and more for each short word, digit and foreign letter; and how far apart replies lie.
_COSTS_DIFFER, _REPLIES_DIFFER, _LEAST_DIFFERENCE = (0.3, 1.0, 1.0, 1.0), 0.02, 0.004


class Script(StrEnum):
    """What a word is made of, as far as voices differ in what they can say."""

    NUMBER = "numbers"
    LATIN = "Latin letters"
    CYRILLIC = "Cyrillic letters"
    GREEK = "Greek letters"
    ASIAN = "East Asian characters"
    OTHER = "letters of another script"


_SCRIPTS = (
    (Script.NUMBER, re.compile(r"\d")),
    (Script.LATIN, re.compile(r"[A-Za-z\u00c0-\u024f]")),
    (Script.CYRILLIC, re.compile(r"[\u0400-\u052f]")),
    (Script.GREEK, re.compile(r"[\u0370-\u03ff]")),
    (Script.ASIAN, re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")),
)


def script_of(word: str) -> Script:
    """The script of a word; one with a digit in it is a number."""
    return next((script for script, found in _SCRIPTS if found.search(word)), Script.OTHER)


@dataclass(frozen=True, slots=True)
class TextWord:
    """A word of the text: its letters, its characters, itself, its script."""

    start: int
    stop: int
    begin: int
    end: int
    text: str
    script: Script

    @property
    def is_short(self) -> bool:
        return self.stop - self.start <= SHORT_LETTERS

    @property
    def weight(self) -> float:
        """How much there is to say, about as time goes: letters, and a little for itself; digits
        are said in words."""
        return 1 + self.stop - self.start + (_LETTERS_A_DIGIT - 1) * self.digits

    @property
    def digits(self) -> int:
        return sum(map(str.isdigit, self.text))


def words_of(text: Folded) -> tuple[TextWord, ...]:
    """The words of a text, in order."""
    edges = [*sorted(text.starts), len(text.letters)]
    made: list[TextWord] = []
    for start, stop in pairwise(edges):
        begin, end = text.span(start, stop)
        word = text.text[begin:end]
        script = script_of(word)
        # What hangs on a number is said with it, or not: "17th", "17-го".
        if made and made[-1].script is Script.NUMBER and begin - made[-1].end <= 1:
            between = text.text[made[-1].end : begin]
            script = script if between.isspace() else Script.NUMBER
        made.append(TextWord(start, stop, begin, end, word, script))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class AskedText:
    """What was asked for: the text and its words, the voice's language, its speed as a factor."""

    text: Folded
    words: tuple[TextWord, ...]
    language: str
    speed: float = 1.0

    @property
    def letters_per_s(self) -> float:
        """The usual speed of this language at this rate."""
        return LETTER_SHARE * 1_000 / ms_per_character(self.language) * self.speed


def estimate_s(letters: int, language: str, speed: float) -> float:
    """How long `letters` letters play."""
    return SILENCE_S + letters / LETTER_SHARE * ms_per_character(language) / 1_000 / speed


@dataclass(frozen=True, slots=True)
class MissingWords:
    """Words in a row without a mark, what sounds where they should be, and how fast the reply is
    spoken (letters a second)."""

    words: tuple[TextWord, ...]
    room_s: float
    pace: float

    def has_room_for(self, words: Sequence[TextWord]) -> bool:
        """Whether enough sounds there for these of the words."""
        needed_s = sum(word.stop - word.start for word in words) / self.pace
        most_s = _MOST_ROOM_S * len(words)
        return not words or self.room_s >= max(_LEAST_ROOM_S, min(_ROOM_SHARE * needed_s, most_s))


@dataclass(frozen=True, slots=True)
class MeasuredReply:
    """A reply, measured. `frames` are in the one format inside, `sound` is their analysis;
    `format` describes the format in which they came, if that was another. `missing` are the words
    that neither a mark nor the sound has room for, `silent` those whose marks lie over silence."""

    asked: AskedText
    frames: bytes
    sound: Sound
    format: str
    shape: Shape
    words: tuple[Placed, ...]
    sentences: tuple[Placed, ...]
    timing: MarkTiming
    missing: tuple[MissingWords, ...]
    silent: tuple[TextWord, ...]
    odd_bytes: int
    cuts: int
    points_back: bool
    broken: int
    told_s: float | None
    ended: bool

    @property
    def marks_share(self) -> float | None:
        """How long the marks last against the speech; another clock than that of the sound shows
        in most replies of a voice."""
        found = [p.boundary for p in self.words if p.found]
        if len(found) < 2 * LEAST_WORDS or self.shape.is_silent:
            return None
        length_s = (max(b.stop for b in found) - min(b.start for b in found)) / TICKS_PER_S
        return length_s / max(0.1, self.shape.span_s)

    @property
    def letters(self) -> int:
        return len(self.asked.text.letters)

    @property
    def absent(self) -> tuple[TextWord, ...]:
        """The words that are missing or silent, in order."""
        words = {*(word for run in self.missing for word in run.words), *self.silent}
        return tuple(sorted(words, key=lambda word: word.start))

    @property
    def mark_tail_s(self) -> float | None:
        """The sound after the mark of the last word, None where that has none that fits."""
        timing = self.timing
        if not timing.fits or not timing.exact_ends:
            return None
        if timing.words[-1].stop != self.letters or timing.words[-1].is_silent:
            return None
        return self.shape.length_s - self.timing.words[-1].stop_s

    @property
    def marked_share(self) -> float:
        """Which share of the letters is marked."""
        covered = sum(p.stop - p.start for p in self.words if p.found)
        return covered / max(1, self.letters)


def examine(asked: AskedText, reply: Reply) -> MeasuredReply:
    """Measures a reply that holds sound. Takes a while: for a thread. Raises AudioError where the
    sound cannot be decoded at all."""
    taken = audio.take_in(reply.audio)
    pcm, _ = audio.decode(taken.frames)
    shape = measure_shape(pcm)
    words = place_marks(asked.text, reply.words)
    timing = time_words(asked.text, words, shape)
    return MeasuredReply(
        asked=asked,
        frames=taken.frames,
        sound=audio.analyse(taken.frames, pcm),
        format=taken.format,
        shape=shape,
        words=words,
        sentences=place_marks(asked.text, reply.sentences),
        timing=timing,
        missing=tuple(_find_missing(asked, words, timing, shape)) if timing.fits else (),
        silent=tuple(_find_silent(asked, timing)),
        odd_bytes=taken.odd_bytes,
        cuts=taken.cuts if taken.cuts <= MOST_CUTS else 0,
        points_back=taken.points_back,
        broken=reply.broken,
        told_s=reply.total / TICKS_PER_S if reply.total else None,
        ended=reply.ended,
    )


def time_by_lag(reply: MeasuredReply, lag_s: float) -> MeasuredReply:
    """A reply with too few marks to show how they lie, measured by the lag that is usual."""
    timing = time_few_words(reply.words, reply.shape, lag_s)
    missing = _find_missing(reply.asked, reply.words, timing, reply.shape) if timing.fits else ()
    silent = tuple(_find_silent(reply.asked, timing))
    return replace(reply, timing=timing, missing=tuple(missing), silent=silent)


# How much speech a voice makes of a text --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechAmount:
    """What there is to say in a text, by what may take a voice longer or shorter: all words of its
    own script (by their weight), how many of them are short, their digits, and the weight of the
    other words, which it may not say."""

    weight: float = 0.0
    short_words: int = 0
    digits: int = 0
    foreign: float = 0.0

    @staticmethod
    def of(own: Sequence[TextWord], foreign: Sequence[TextWord]) -> SpeechAmount:
        return SpeechAmount(
            sum(word.weight for word in own),
            sum(word.is_short for word in own),
            sum(word.digits for word in own),
            sum(word.weight for word in foreign),
        )

    @property
    def row(self) -> tuple[float, float, float, float]:
        return self.weight, self.short_words, self.digits, self.foreign


@dataclass(frozen=True, slots=True)
class SpeechLengths:
    """How much speech a voice makes of texts: seconds for each amount, and the middle deviation
    from that, as a share."""

    costs_s: tuple[float, ...]
    deviation: float

    def estimate_s(self, amount: SpeechAmount) -> float:
        return sum(cost * size for cost, size in zip(self.costs_s, amount.row, strict=True))


def fit_lengths(amounts: Sequence[SpeechAmount], speech_s: Sequence[float]) -> SpeechLengths:
    """Learns from replies, some of which may be damaged: least squares towards what is usual for
    all voices, in which replies that lie far off weigh little."""
    import numpy as np

    rows, lengths = np.array([amount.row for amount in amounts]), np.array(speech_s)
    letter_s = float(np.median(lengths / rows[:, 0]))
    usual = np.array([letter_s, 0.0, 0.0, 0.0])
    held = np.diag(1 / (letter_s * np.array(_COSTS_DIFFER)))
    trust, deviation = np.ones(len(rows)), 0.0
    for _ in range(5):
        scale = np.sqrt(trust) / (_REPLIES_DIFFER * lengths)
        known = np.concatenate((lengths * scale, held @ usual))
        costs = np.linalg.lstsq(np.vstack((rows * scale[:, None], held)), known, rcond=None)[0]
        off = np.abs(1 - lengths / (rows @ costs))
        deviation = max(float(np.median(off)), _LEAST_DIFFERENCE)
        trust = np.minimum(1.0, 2.2 * deviation / np.maximum(off, 1e-9)) ** 2
    return SpeechLengths(tuple(costs.tolist()), deviation)


def _find_silent(asked: AskedText, timing: MarkTiming) -> Iterator[TextWord]:
    silent = [word for word in timing.words if word.is_silent]
    at = 0
    for word in asked.words:
        while at < len(silent) and silent[at].stop <= word.start:
            at += 1
        if at < len(silent) and silent[at].start < word.stop:
            yield word


@dataclass(frozen=True, slots=True)
class _Gap:
    """Letters without a mark that can be trusted, the words with marks around them, and the one
    before these."""

    start: int
    stop: int
    earlier: MarkedWord | None
    before: MarkedWord | None
    after: MarkedWord | None


def _find_missing(
    asked: AskedText, placed: Sequence[Placed], timing: MarkTiming, shape: Shape
) -> Iterator[MissingWords]:
    """Words without a mark for which there is no room in the sound. Nothing is known of those
    whose marks lie at the very beginning, because they would come before it."""
    pace = _letters_per_s(timing.words)
    clipped = {p.start for p in placed if p.found and p.boundary.start <= 0}
    for gap in _gaps(timing.words, len(asked.text.letters)):
        inside = [w for w in asked.words if w.start < gap.stop and w.stop > gap.start]
        inside = [word for word in inside if word.start not in clipped]
        if inside:
            missing = MissingWords(tuple(inside), _room_s(asked, gap, inside, pace, shape), pace)
            if not missing.has_room_for(missing.words):
                yield missing


def _letters_per_s(words: Sequence[MarkedWord]) -> float:
    """How fast this reply is spoken, by its marks."""
    length_s = sum(word.length_s for word in words)
    return max(2.0, sum(word.stop - word.start for word in words) / max(length_s, 0.1))


def _gaps(words: Sequence[MarkedWord], letters: int) -> Iterator[_Gap]:
    edges: list[MarkedWord | None] = [None, *words, None]
    earlier: MarkedWord | None = None
    for before, after in pairwise(edges):
        start = before.stop if before else 0
        stop = after.start if after else letters
        if start < stop:
            yield _Gap(start, stop, earlier, before, after)
        earlier = before


def _room_s(
    asked: AskedText, gap: _Gap, inside: Sequence[TextWord], pace: float, shape: Shape
) -> float:
    """How much sounds between the marks. A number may have all of its time in the mark of its
    first part, and a word that is said twice may be marked once."""
    after_s = gap.after.start_s if gap.after else shape.length_s
    before = gap.before
    room_s = shape.loud_between(before.stop_s if before else 0.0, after_s)
    if before is None:
        return room_s
    letters = asked.text.letters
    said = letters[before.start : before.stop]
    if any(said == letters[word.start : word.stop] for word in inside):
        earlier_s = gap.earlier.stop_s if gap.earlier else 0.0
        room_s += shape.loud_between(earlier_s, before.start_s)
    if said.isdigit() and inside[0].script is Script.NUMBER:
        room_s += max(0.0, before.length_s - 1.3 * _LETTERS_A_DIGIT * len(said) / pace)
    return room_s
