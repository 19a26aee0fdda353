"""Replies become speech: judged by their voice's traits, with marks, and what stays in doubt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tts_book.audio import DELAY_MS
from tts_book.backends import ProofTexts, SoundFinding, Span, Verdict
from tts_book.backends.edge.alignment import Folded, find_sentences, marks_of
from tts_book.backends.edge.exchange import Reply
from tts_book.backends.edge.mark_timing import HOP_S, LEAST_WORDS, TICKS_PER_S, Shape
from tts_book.backends.edge.measured_reply import (
    AskedText,
    MeasuredReply,
    TextWord,
    examine,
    words_of,
)
from tts_book.backends.edge.voice_habits import CERTAIN, DAMAGE, ReplySign, SignKind, VoiceHabits
from tts_book.backends.edge.wire_log import WireLog
from tts_book.errors import AudioError, BackendIncomplete
from tts_book.model import Doubt, DoubtKind, Mark, Speech

# Marks that lie this near to where marks usually lie, before the sound by 70 to 160 ms, stay as
# they are; others are brought to where they would be then.
_USUAL_LAG_S, _SHIFTED_S = 0.14, 0.25
# A text for a proof has so many words beside those in question, if the chunk has them: the marks of
# fewer tell nothing.
_WORDS_BESIDE = LEAST_WORDS + 1
# Marks may leave out so many words of the voice's own script that it says.
_MOST_OWN = 2
_WORDS_SHOWN = 60
# How far from its place in the speech a sentence without marks may end, what a long pause is worth
# against that distance, and which silences are pauses.
_REACH_S, _PAUSE_WORTH, _PAUSE_MOST_S = 4.0, 2.0, 1.2
_LEAST_PAUSE_S, _NO_PAUSE_COST = 0.15, 1.0
# Answers without sound, until a text of another script counts as one that the voice cannot say.
_SILENT_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class HeardReply:
    """A reply as it came, and what was asked for."""

    voice_key: str
    asked: AskedText
    reply: Reply
    log: WireLog

    def examine(self) -> ExaminedReply:
        """Measures it. Raises BackendIncomplete where it cannot be decoded."""
        try:
            return ExaminedReply(self.voice_key, examine(self.asked, self.reply), self.log)
        except AudioError as error:
            raise BackendIncomplete(f"The sound is damaged. {error}") from error


@dataclass(frozen=True, slots=True)
class ExaminedReply:
    """A measured reply of a voice."""

    voice_key: str
    measured: MeasuredReply
    log: WireLog


class Jury:
    """Judges the replies of all voices of a run."""

    def __init__(self) -> None:
        self._traits: dict[str, VoiceHabits] = {}

    def open_voice(self, voice_key: str, voice_id: str) -> None:
        """A voice is going to speak."""
        self._traits.setdefault(voice_key, VoiceHabits(voice_id))

    def enter(self, reply: ExaminedReply) -> None:
        """Counts a reply among those of its voice; once a voice is known, only those that are
        whole are counted (see `judge`)."""
        traits = self._traits[reply.voice_key]
        if not traits.known:
            traits.add(reply.measured)
            if traits.is_settled():
                traits.learn()

    def judge(self, reply: ExaminedReply) -> Verdict | None:
        """What may be missing from a reply; None until its voice is known."""
        traits = self._traits[reply.voice_key]
        if not traits.known:
            return None
        return self.judge_now(reply)

    def judge_now(self, reply: ExaminedReply) -> Verdict:
        """What may be missing from a reply, by what is known so far."""
        traits, measured = self._traits[reply.voice_key], reply.measured
        found = traits.judge(measured)
        if not found and traits.known and traits.enough:
            traits.add(measured)
        reply.log.note(f"judged: {'; '.join(map(str, found)) or 'all is well'}")
        marks, estimated = _find_marks(measured)
        doubts = tuple(_find_doubts(traits, measured, estimated=estimated))
        speech = Speech(measured.frames, "mp3", marks=marks, doubts=doubts)
        findings = tuple(_finding(traits, finding) for finding in found)
        return Verdict(speech, measured.sound, measured.shape.loud_s, findings)

    def settle(self) -> None:
        """From here on all voices are judged by what is known of them."""
        for traits in self._traits.values():
            if not traits.known:
                traits.learn()

    def proof_texts(
        self, reply: ExaminedReply, span: Span, others: Sequence[Span]
    ) -> ProofTexts | None:
        """Texts with and without these words, if a voice may have a way of its own with them: what
        it lacks of its own script, but for a word or two, is damage."""
        asked, own = reply.measured.asked, self._traits[reply.voice_key].own_script
        words = [word for word in _words_in(asked, span) if word.script is own]
        return find_proof_texts(asked, span, others) if len(words) <= _MOST_OWN else None

    def prove_unspoken(self, reply: ExaminedReply, span: Span) -> None:
        """The voice does not say these words; those of its own script it can say, and where they
        are missing, the reply is damaged."""
        traits = self._traits[reply.voice_key]
        for word in _words_in(reply.measured.asked, span):
            if word.script is not traits.own_script:
                traits.prove_word(word)

    def prove_spoken(self, reply: ExaminedReply, span: Span) -> None:
        """The voice says these words, whatever the marks leave of them."""
        for word in _words_in(reply.measured.asked, span):
            self._traits[reply.voice_key].prove_heard(word)

    def prove_text(self, reply: ExaminedReply, kinds: Iterable[str]) -> None:
        """These kinds of findings are this text's own."""
        self._traits[reply.voice_key].prove_text(map(SignKind, kinds))

    def says_nothing_of(self, voice_key: str, text: Folded, attempts: int) -> Doubt | None:
        """Whether an answer without sound, after so many attempts, is all that a voice has to say:
        all words are of scripts that are not its own, and of none that it was heard to say."""
        traits = self._traits.get(voice_key)
        words = words_of(text)
        if traits is None or not all(
            traits.may_not_say(w) or w.script in traits.unspoken for w in words
        ):
            return None
        known = all(traits.is_proven(word) for word in words)
        if not known and attempts < _SILENT_ATTEMPTS:
            return None
        return Doubt(DoubtKind.UNSPOKEN, _shown(text.text), 0, len(text.text))

    def notes(self) -> tuple[tuple[str, str], ...]:
        """What users should know of the voices."""
        return tuple(
            (key.partition(" ")[0], note)
            for key, traits in self._traits.items()
            for note in traits.notes()
        )


def _finding(traits: VoiceHabits, found: ReplySign) -> SoundFinding:
    spans = tuple(_runs(found.words))
    suspected = frozenset(_runs([word for word in found.words if traits.suspects(word)]))
    certain = found.kind in CERTAIN and not traits.is_common(found.kind)
    damage = found.kind in DAMAGE
    return SoundFinding(found.kind.value, found.what, certain, damage, spans, suspected)


def _runs(words: Sequence[TextWord]) -> Iterable[Span]:
    """Words in a row, as the characters that they take."""
    first: TextWord | None = None
    last: TextWord | None = None
    for word in words:
        if first is None or last is None or word.start != last.stop:
            if first is not None and last is not None:
                yield first.begin, last.end
            first = word
        last = word
    if first is not None and last is not None:
        yield first.begin, last.end


def _words_in(asked: AskedText, span: Span) -> list[TextWord]:
    return [word for word in asked.words if word.begin < span[1] and word.end > span[0]]


# Doubts -------------------------------------------------------------------------------------------


def _find_doubts(traits: VoiceHabits, reply: MeasuredReply, *, estimated: bool) -> Iterable[Doubt]:
    text = reply.asked.text.text
    for start, stop in _runs(_unspoken_words(traits, reply) if reply.timing.fits else []):
        yield Doubt(DoubtKind.UNSPOKEN, _shown(text[start:stop]), start, stop)
    if not reply.timing.fits:
        foreign = [w for w in reply.asked.words if traits.may_not_say(w)]
        for start, stop in _runs(foreign):
            known = all(traits.is_proven(w) for w in _words_in(reply.asked, (start, stop)))
            kind = DoubtKind.UNSPOKEN if known else DoubtKind.UNDETERMINED
            yield Doubt(kind, _shown(text[start:stop]), start, stop)
    if estimated:
        yield Doubt(DoubtKind.TIMES, "the times of its sentences are estimated")
    elif (
        traits.has_fitting_marks and not reply.timing.fits and len(reply.asked.words) > LEAST_WORDS
    ):
        what = "its marks do not fit: checked by length and silence only"
        yield Doubt(DoubtKind.MARKS, what if reply.words else what.replace("fit", "come"))


def _unspoken_words(traits: VoiceHabits, reply: MeasuredReply) -> list[TextWord]:
    """The words that the voice does not say: those that are shown to be missing, and all of its
    kind that have no mark."""
    marked = {letter for word in reply.timing.words for letter in (word.start, word.stop - 1)}
    absent = set(reply.absent)
    return [
        word
        for word in reply.asked.words
        if traits.is_proven(word) and (word in absent or word.start not in marked)
    ]


def _shown(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _WORDS_SHOWN else line[: _WORDS_SHOWN - 1] + "…"


# Marks --------------------------------------------------------------------------------------------


def _find_marks(reply: MeasuredReply) -> tuple[tuple[Mark, ...], bool]:
    """The marks of a reply in the time of its sound; whether they are estimated."""
    text, sound_ms = reply.asked.text, reply.sound.duration_ms
    few = len(reply.words) < LEAST_WORDS
    if reply.timing.fits or (reply.words and few and _lie_in_sound(reply)):
        marks = marks_of(text, reply.words, reply.sentences)
        shift_ms = _shifts(reply)
        return tuple(_as_heard(mark, shift_ms, sound_ms) for mark in marks), False
    if reply.sentences and not reply.words and _lie_in_sound(reply):
        marks = marks_of(text, (), reply.sentences)
        return tuple(_as_heard(mark, [], sound_ms) for mark in marks), False
    return estimate_sentences(text, reply.shape), True


def _lie_in_sound(reply: MeasuredReply) -> bool:
    placed = reply.words or reply.sentences
    starts = [p.boundary.start for p in placed if p.found]
    inside = starts and max(starts) / TICKS_PER_S < reply.shape.length_s
    return bool(inside) and starts == sorted(set(starts))


def _shifts(reply: MeasuredReply) -> list[tuple[int, int]]:
    """By how many ms marks are moved, from which letter on; empty where they lie as usual."""
    raw_s = {p.start: p.boundary.start / TICKS_PER_S for p in reply.words if p.found}
    moved = [
        (word.start, word.start_s - raw_s[word.start] - _USUAL_LAG_S)
        for word in reply.timing.words
        if word.start in raw_s
    ]
    if all(abs(shift_s) < _SHIFTED_S for _, shift_s in moved):
        return []
    places = reply.asked.text.places
    return [(places[letter], round(shift_s * 1_000)) for letter, shift_s in moved]


def _as_heard(mark: Mark, shifts: Sequence[tuple[int, int]], sound_ms: int) -> Mark:
    """The service's times are those of its sound before it was encoded."""
    before = [ms for at, ms in shifts if at <= mark.start]
    later_ms = DELAY_MS + (before[-1] if before else shifts[0][1] if shifts else 0)
    start_ms = max(0, min(mark.start_ms + later_ms, sound_ms))
    stop_ms = min(max(start_ms, mark.stop_ms + later_ms), sound_ms)
    return replace(mark, start_ms=start_ms, stop_ms=stop_ms)


# Sentences without marks: each ends where as much speech has passed as its letters need, in a long
# silence near that place. The best choice of silences, in order, is a shortest path.


def estimate_sentences(text: Folded, shape: Shape) -> tuple[Mark, ...]:
    """Marks of the sentences of the text, estimated."""
    spans = [s for s in find_sentences(text.text) if any(map(str.isalnum, text.text[s[0] : s[1]]))]
    if not spans or not shape.loud_s:
        return ()
    ends = _letters_before(text, [stop for _, stop in spans[:-1]])
    per_letter_s = shape.loud_s / max(1, len(text.letters))
    cuts = _choose_pauses([letters * per_letter_s for letters in ends], shape)
    edges = [(shape.begin_s, shape.begin_s), *cuts, (shape.end_s, shape.end_s)]
    made = []
    for (start, stop), (before, after) in zip(spans, pairwise(edges), strict=True):
        words = text.text[start:stop]
        begin = start + len(words) - len(words.lstrip())
        times = round(before[1] * 1_000), round(max(before[1], after[0]) * 1_000)
        made.append(Mark("sentence", *times, begin, begin + len(words.strip())))
    return tuple(made)


def _letters_before(text: Folded, ends: Sequence[int]) -> list[int]:
    counts, at = [], 0
    for end in ends:
        while at < len(text.places) and text.places[at] < end:
            at += 1
        counts.append(at)
    return counts


def _choose_pauses(wanted_s: Sequence[float], shape: Shape) -> list[tuple[float, float]]:
    """For each wanted amount of speech, from when to when the pause after it lies."""
    pauses = [
        (shape.loud_between(0, start), start, stop)
        for start, stop in shape.silences(_LEAST_PAUSE_S)
    ]
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]  # by the pause that was taken last
    reached = [-1]
    for wanted in wanted_s:
        options: dict[int, tuple[float, tuple[int, ...]]] = {}
        for last, (cost, path) in zip(reached, best, strict=True):
            near = [
                (at, abs(spoken - wanted) - _PAUSE_WORTH * min(stop - start, _PAUSE_MOST_S))
                for at, (spoken, start, stop) in enumerate(pauses)
                if at > last and abs(spoken - wanted) <= _REACH_S
            ]
            for at, more in [*near, (last, _NO_PAUSE_COST)]:
                found = (cost + more, (*path, at if at > last else -1))
                if at not in options or found < options[at]:
                    options[at] = found
        reached, best = list(options), list(options.values())
    chosen = min(best)[1] if best else ()
    return [
        pauses[at][1:] if at >= 0 else (_moment(wanted, shape),) * 2
        for at, wanted in zip(chosen, wanted_s, strict=True)
    ]


def _moment(spoken_s: float, shape: Shape) -> float:
    """When so much has been spoken."""
    import numpy as np

    return float(np.searchsorted(shape.summed, spoken_s / HOP_S)) * HOP_S


# Proofs -------------------------------------------------------------------------------------------


def find_proof_texts(asked: AskedText, span: Span, others: Sequence[Span]) -> ProofTexts | None:
    """The sentence that holds these characters, with those around it until there are words enough
    beside them, and the same without them and without those of the `others` that it holds."""
    text = asked.text.text
    spans = find_sentences(text)
    held = [n for n, (start, stop) in enumerate(spans) if start < span[1] and stop > span[0]]
    if not held:
        return None
    first, last = held[0], held[-1]
    while True:
        start, stop = spans[first][0], spans[last][1]
        doubtful = sorted({span, *(o for o in others if start <= o[0] and o[1] <= stop)})
        words = _words_in(asked, (start, stop))
        left = [w for w in words if not any(a < w.end and b > w.begin for a, b in doubtful)]
        if len(left) >= _WORDS_BESIDE or (first == 0 and last == len(spans) - 1):
            break
        first, last = (first - 1, last) if first > 0 else (first, last + 1)
    if not left:
        return None
    edges = [start, *(edge for pair in doubtful for edge in pair), stop]
    kept = "".join(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))
    without = re.sub(r"[ \t]{2,}", " ", kept).strip()
    return ProofTexts(text[start:stop].strip(), without, tuple(doubtful))
