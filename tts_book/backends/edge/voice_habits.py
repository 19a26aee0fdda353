"""What a voice always does, learned from its first replies, and what one reply does against that.

A service may send no marks, shifted ones, another format, long tails: what most of the first
replies of a voice show is a trait of the voice. What few of them show may be damage, and is spoken
again. Nothing is learned from fewer than LEAST_REPLIES, and a sign of missing sound only if nearly
all of them show it: with three faults in ten replies, three of the first five are damaged alike
once in six runs, eight of ten once in 600.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import median

from tts_book.backends.edge.mark_timing import LEAST_WORDS, TICKS_PER_S
from tts_book.backends.edge.measured_reply import (
    AskedText,
    MeasuredReply,
    Script,
    SpeechAmount,
    SpeechLengths,
    TextWord,
    fit_lengths,
    time_by_lag,
)
from tts_book.text.language_tags import primary_language

LEAST_REPLIES = 5
# A sign of missing sound is a trait if so many replies show it; between the two shares more
# replies are waited for, up to MOST_REPLIES.
_TRAIT_SHARE, _DOUBT_SHARE, MOST_REPLIES = 0.85, 0.5, 10
# The newest replies that count.
_REMEMBERED = 60
# A voice is held to its own tail: some times the middle deviation that it has shown, but not
# closer than nearly a message of 120 ms where the last mark is exact (marks stray by 60 ms); how
# long a last word fades is less so. One that ends anyhow is not held to any.
_TAIL_LEAST_S, _QUIET_LEAST_S, _DEVIATIONS = 0.1, 0.25, 7.0
# A voice has a tail of its own if so many replies of few (of many) end near to the middle one;
# between these shares more replies are waited for.
_NEAR_S, _STEADY_FEW, _STEADY, _FEW = 0.1, 0.79, 0.6, 8
_TAIL_UNCLEAR = (0.45, _STEADY_FEW)
# How much longer a tail may be: words at the end that are silent.
_LONGER_S = 0.25
# Sound is lost if it comes so much earlier than its marks at the end; drift is the voice's own.
_LOST_S, _SHARED_S = 0.09, 0.13
# Marks may end this much after the sound, as long as nothing is known of the voice.
_BEYOND_S, _BEYOND_KNOWN_S = 1.0, 0.3
_SHORTER_THAN_TOLD_S = 0.15
# Speed: against all voices of the language at first, then against the voice's own.
_TOO_FAST, _SPEED_LETTERS = 1.7, 40
_OWN_LEAST, _OWN_MOST, _OWN_LETTERS = 0.25, 0.4, 120
# Without marks: so much less speech than the voice makes of other texts, and some times the middle
# deviation.
_SHORT_LEAST, _SHORT_MOST, _SHORT_DEVIATIONS = 0.04, 0.45, 3.0
# How much larger deviations may be than n replies show: by this many n-ths.
_UNSEEN = 4
# Silence inside speech: as long as no pause is, then longer than this voice's are.
_SILENCE_S, _OWN_SILENCE_S = 3.5, 0.6
# The end of a sound that stops in the middle of speech.
_ABRUPT_S = 0.03
# Marks that last so much shorter or longer than the speech count another time.
_SAME_CLOCK = (0.85, 1.15)
# Marks are missing for a class of words if most of its words have none.
_CLASS_SHARE, _CLASS_WORDS = 0.6, 3
# So many proofs of different words, or of different texts, make a trait.
PROOFS = 3
_TEXT_PROOFS = 2


class SignKind(StrEnum):
    """What may be wrong with the sound of a reply."""

    ODD_BYTES = "the sound ends in the middle of a frame, or holds what is no sound"
    BEGINNING = "the beginning of the sound is missing"
    CUTS = "frames are missing inside the sound"
    BROKEN = "messages with sound could not be read"
    UNFINISHED = "the connection was closed before the end of the reply"
    SHORTER = "the sound is shorter than the service says"
    BEYOND = "the sound ends before its last words"
    SILENT = "the sound is silent"
    FAST = "the sound is too short for its text"
    SHORT = "less is spoken than the text has"
    TAIL = "the end differs from this voice's other replies"
    ABRUPT = "the sound stops in the middle of speech"
    SILENCE = "there is silence where words should be"
    WORDS = "words may be missing"
    LOST = "a part of the sound is missing"
    OTHER = "the marks name other words than the text has"


# Bytes that are missing or wrong: that a text's halves add up to such a reply does not excuse it.
DAMAGE = frozenset(
    {SignKind.ODD_BYTES, SignKind.CUTS, SignKind.BEGINNING, SignKind.BROKEN, SignKind.UNFINISHED}
    | {SignKind.SHORTER}
)
# What a service may do with every reply, and lose nothing.
_MAY_BE_TRAITS = DAMAGE | {SignKind.ABRUPT, SignKind.SILENCE}
# These are no matter of taste: a reply that shows them to the last fails its chunk.
CERTAIN = DAMAGE | {
    SignKind.BEYOND,
    SignKind.SILENT,
    SignKind.FAST,
    SignKind.LOST,
    SignKind.ABRUPT,
}


@dataclass(frozen=True, slots=True)
class ReplySign:
    """Something that may be missing from a reply, in a few words; `words` are those concerned."""

    kind: SignKind
    what: str
    words: tuple[TextWord, ...] = ()

    def __str__(self) -> str:
        return self.what


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """Median and middle deviation, of which a few values show too little."""
    usual = median(values)
    deviation = median(abs(value - usual) for value in values)
    return usual, deviation * (1 + _UNSEEN / len(values))


def _near_share(values: Sequence[float]) -> float:
    """Which share of some values lies near to their median: 1 for those of a steady voice."""
    if not values:
        return 0.0
    usual = median(values)
    return sum(abs(value - usual) <= _NEAR_S for value in values) / len(values)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is kept of a reply when its sound is gone."""

    fits: bool
    marks: str
    tail_s: float | None
    quiet_s: float
    lost_per_s: float
    marked_share: float
    marks_share: float | None
    letters: int
    span_s: float
    longest_s: float
    lag_s: float | None
    amount: SpeechAmount
    loud_s: float
    format: str
    occurring: Counter[tuple[str, str]]
    missing: Counter[tuple[str, str]]


@dataclass(slots=True)
class VoiceHabits:
    """What is known of one voice at one rate."""

    voice_id: str
    known: bool = False
    enough: bool = False
    accepted_kinds: set[SignKind] = field(default_factory=set)
    unspoken: set[Script] = field(default_factory=set)
    _facts: list[_Facts] = field(default_factory=list)
    _lengths: SpeechLengths | None = None
    _panel: list[MeasuredReply] = field(default_factory=list)
    _heard: set[str] = field(default_factory=set)
    _proven_words: dict[Script, set[str]] = field(default_factory=dict)
    _proven_texts: Counter[SignKind] = field(default_factory=Counter)

    # Learning

    def add(self, examined: MeasuredReply) -> None:
        """Takes notice of a reply."""
        self._facts.append(self._facts_of(examined))
        del self._facts[:-_REMEMBERED]
        self._lengths = None
        if not self.known:
            self._panel.append(examined)

    def is_settled(self) -> bool:
        """Whether the replies so far tell damage from habit."""
        count = len(self._panel)
        if count >= MOST_REPLIES:
            return True
        # Of a title, say, most of what can be a habit is not to be seen.
        if sum(examined.letters >= _SPEED_LETTERS for examined in self._panel) < LEAST_REPLIES:
            return False
        unclear = any(_DOUBT_SHARE < share < _TRAIT_SHARE for share in self._shares().values())
        tails = [facts.tail_s for facts in self._facts if facts.tail_s is not None]
        return not unclear and not _TAIL_UNCLEAR[0] < _near_share(tails) < _TAIL_UNCLEAR[1]

    def learn(self) -> None:
        """Makes traits of what the replies so far have in common."""
        self.enough = len(self._panel) >= LEAST_REPLIES
        if self.enough:
            shares = self._shares().items()
            self.accepted_kinds |= {kind for kind, share in shares if share >= _TRAIT_SHARE}
        self.known = True
        self._panel.clear()

    def _shares(self) -> dict[SignKind, float]:
        """Which share of the first replies shows each kind of finding that can be a trait, by
        what is known of all of them."""
        self.known = True
        counts: Counter[SignKind] = Counter()
        for examined in self._panel:
            kinds = {finding.kind for finding in self._find(examined)}
            counts.update(kinds & _MAY_BE_TRAITS)
        self.known = False
        return {kind: count / len(self._panel) for kind, count in counts.items()}

    def prove_word(self, word: TextWord) -> None:
        """A word was shown to be unspoken: the voice says the text with and without it alike."""
        proven = self._proven_words.setdefault(word.script, set())
        proven.add(_folded(word))
        if len(proven) >= PROOFS:
            self.unspoken.add(word.script)

    def is_proven(self, word: TextWord) -> bool:
        """Whether the voice does not say this word."""
        known = self._proven_words.get(word.script, ())
        return word.script in self.unspoken or _folded(word) in known

    def prove_text(self, kinds: Iterable[SignKind]) -> None:
        """Two halves of a text added up to it: what was found in it is its own way to sound."""
        self._proven_texts.update(kinds)

    def is_common(self, kind: SignKind) -> bool:
        """Whether this has been a trait of other texts before."""
        return self._proven_texts[kind] >= _TEXT_PROOFS

    @property
    def own_script(self) -> Script:
        """What the voice's language is written in."""
        language = primary_language(self.voice_id)
        if language in ("ru", "uk", "bg", "sr", "mk", "kk", "mn", "ky", "be"):
            return Script.CYRILLIC
        if language in ("zh", "ja", "ko", "yue", "wuu"):
            return Script.ASIAN
        if language == "el":
            return Script.GREEK
        others = ("ar", "he", "fa", "ur", "ps", "hi", "mr", "ne", "bn", "ta", "te", "kn", "ml")
        more = ("gu", "pa", "si", "th", "lo", "my", "km", "am", "ka", "hy")
        return Script.OTHER if language in (*others, *more) else Script.LATIN

    def may_not_say(self, word: TextWord) -> bool:
        """Whether a voice of one language may leave this word out; any can say numbers."""
        foreign = word.script not in (self.own_script, Script.NUMBER)
        return foreign and "Multilingual" not in self.voice_id

    # What the voice is like, in words

    def notes(self) -> tuple[str, ...]:
        """One line for each habit that the user should know of."""
        return tuple(self._notes()) if self.known else ()

    def _notes(self) -> Iterator[str]:
        telling = [facts.marks for facts in self._facts if facts.marks != "few"] or ["words"]
        marks = Counter(telling).most_common(1)[0][0]
        if marks == "words" and not self.has_fitting_marks:
            marks = "other"
        if not self.enough:
            count = len(self._facts)
            yield (
                f"only {count} {'reply' if count == 1 else 'replies'} to compare: each is judged "
                "by its own sound"
            )
        if marks in ("none", "sentences"):
            yield (
                "no marks of words come with the sound: replies are checked by length and silence "
                "only, and times are estimated"
            )
        elif marks == "other":
            yield (
                "the marks do not fit the sound: replies are checked by length and silence only, "
                "and times are estimated"
            )
        for name, count in Counter(facts.format for facts in self._facts).most_common(1):
            if name and count > len(self._facts) / 2:
                yield f"the sound comes as {name}: it is encoded once more"
        for kind in sorted(self.accepted_kinds):
            yield f"nearly every reply is odd in this way, which is therefore not checked: {kind}"
        for script in sorted(self.unspoken):
            yield f"this voice does not say {script}"

    # Judging

    def judge(self, examined: MeasuredReply) -> list[ReplySign]:
        """What may be missing from this reply, judged by what the voice always does."""
        if 0 < len(examined.words) < LEAST_WORDS and self.has_fitting_marks:
            lag = self.steady(lambda facts: facts.lag_s)
            examined = time_by_lag(examined, lag[0]) if lag is not None else examined
        return [f for f in self._find(examined) if f.kind not in self.accepted_kinds]

    def suspects(self, word: TextWord) -> bool:
        """Whether most words of this class seem not to be spoken by this voice."""
        own = self.own_script
        foreign = word.script is not own
        return self.known and foreign and self._mostly_missing(_class_of(word, own), _folded(word))

    def is_left_out(self, word: TextWord) -> bool:
        """Whether no room for this word means nothing: the voice does not say it, or runs it
        together with its neighbours, as it does with some short words."""
        if self.is_proven(word) or _folded(word) in self._heard:
            return True
        name = _class_of(word, self.own_script)
        return self.known and name == _SHORT and self._mostly_missing(name, _folded(word))

    def prove_heard(self, word: TextWord) -> None:
        """A word is heard, although the marks leave it no time."""
        self._heard.add(_folded(word))

    def _mostly_missing(self, name: str, text: str) -> bool:
        if name == _SHORT:  # each of them by itself
            missing = sum(facts.missing[name, text] for facts in self._facts)
            occurring = sum(facts.occurring[name, text] for facts in self._facts)
            return missing >= 2 and missing > _CLASS_SHARE * occurring
        missing_words = {w for facts in self._facts for kind, w in facts.missing if kind == name}
        words = {w for facts in self._facts for kind, w in facts.occurring if kind == name}
        if len(missing_words) < min(_CLASS_WORDS, len(words)):
            return False
        missing = sum(_total(facts.missing, name) for facts in self._facts)
        occurring = sum(_total(facts.occurring, name) for facts in self._facts)
        return missing > _CLASS_SHARE * occurring

    def _find(self, examined: MeasuredReply) -> list[ReplySign]:
        found: list[ReplySign] = []
        for check in _CHECKS:
            found += check(self, examined)
        return found

    def _facts_of(self, examined: MeasuredReply) -> _Facts:
        timing, own = examined.timing, self.own_script
        silences = [stop - start for start, stop in examined.shape.silences()]
        return _Facts(
            fits=timing.fits,
            marks=_marks_of(examined),
            tail_s=examined.mark_tail_s,
            quiet_s=examined.shape.tail_s,
            lost_per_s=timing.lost_s / max(1.0, examined.shape.length_s),
            marked_share=examined.marked_share,
            marks_share=examined.marks_share,
            letters=self.letters_to_say(examined),
            span_s=examined.shape.span_s,
            longest_s=max(silences, default=0.0),
            lag_s=timing.lag_s if timing.fits else None,
            amount=self.amount_of(examined),
            loud_s=examined.shape.loud_s,
            format=examined.format,
            occurring=Counter((_class_of(w, own), _folded(w)) for w in examined.asked.words),
            missing=Counter((_class_of(w, own), _folded(w)) for w in examined.absent),
        )

    def amount_of(self, examined: MeasuredReply) -> SpeechAmount:
        """How much of a text this voice has to say."""
        words = self.words_to_say(examined)
        foreign = [word for word in words if self.may_not_say(word)]
        return SpeechAmount.of([word for word in words if word not in foreign], foreign)

    def words_to_say(self, examined: MeasuredReply) -> list[TextWord]:
        """The words of a text without those that this voice leaves out, as it seems; it can say all
        words of its own script."""
        own, absent = self.own_script, set(examined.absent)
        words = examined.asked.words
        return [w for w in words if w.script is own or not (w in absent or self.is_proven(w))]

    def letters_to_say(self, examined: MeasuredReply) -> int:
        """How many letters there are to be said, of those words."""
        return sum(word.stop - word.start for word in self.words_to_say(examined))

    @property
    def lengths(self) -> SpeechLengths | None:
        """How much speech this voice makes of its texts, once enough replies are known."""
        if self._lengths is None and self.known:
            told = [facts for facts in self._facts if facts.letters >= _OWN_LETTERS]
            told = [facts for facts in told if facts.amount.weight]
            if len(told) >= LEAST_REPLIES:
                found = fit_lengths([f.amount for f in told], [f.loud_s for f in told])
                deviation = found.deviation * (1 + _UNSEEN / len(told))
                self._lengths = replace(found, deviation=deviation)
        return self._lengths

    # What other replies of this voice are like

    def usual(self, value: Callable[[_Facts], float | None]) -> tuple[float, float] | None:
        """Median and middle deviation of a figure, once enough replies are known."""
        values = [v for v in map(value, self._facts) if v is not None]
        return _middle(values) if self.known and len(values) >= LEAST_REPLIES else None

    def steady(self, value: Callable[[_Facts], float | None]) -> tuple[float, float] | None:
        """As `usual`, None where the figure is anyhow."""
        values = [v for v in map(value, self._facts) if v is not None]
        near = _STEADY_FEW if len(values) < _FEW else _STEADY
        return self.usual(value) if _near_share(values) >= near else None

    @property
    def has_fitting_marks(self) -> bool:
        """Whether the times of this voice's marks fit its sound, as a rule."""
        telling = [facts.fits for facts in self._facts if facts.marks != "few"]
        if self.known and sum(telling) <= len(telling) / 2:
            return False
        share = self.usual(lambda facts: facts.marks_share)
        return share is None or _SAME_CLOCK[0] < share[0] < _SAME_CLOCK[1]


_SHORT = "short words"


def _folded(word: TextWord) -> str:
    return word.text.casefold()


def _total(counts: Counter[tuple[str, str]], name: str) -> int:
    return sum(count for (kind, _), count in counts.items() if kind == name)


def _class_of(word: TextWord, own: Script) -> str:
    """What words are compared with: short ones of the voice's own script may be run together."""
    return _SHORT if word.is_short and word.script is own else word.script.value


def _marks_of(examined: MeasuredReply) -> str:
    """Which marks came: of words, only of sentences, none, others than fit, too few to tell."""
    if examined.timing.fits:
        return "words"
    if examined.words:
        return "few" if len(examined.words) < LEAST_WORDS else "other"
    return "sentences" if examined.sentences else "none"


# The checks ---------------------------------------------------------------------------------------


def _check_stream(traits: VoiceHabits, examined: MeasuredReply) -> list[ReplySign]:
    """Whole frames, all of them, as many as the service says."""
    shown = {
        SignKind.ODD_BYTES: examined.odd_bytes > 0,
        SignKind.CUTS: examined.cuts > 0,
        SignKind.BEGINNING: examined.points_back,
        SignKind.BROKEN: examined.broken > 0,
        SignKind.UNFINISHED: not examined.ended,
        SignKind.SILENT: examined.shape.is_silent,
        SignKind.SHORTER: examined.told_s is not None
        and examined.shape.length_s < examined.told_s - _SHORTER_THAN_TOLD_S,
    }
    return [ReplySign(kind, kind.value) for kind, is_so in shown.items() if is_so]


def _check_end(traits: VoiceHabits, examined: MeasuredReply) -> list[ReplySign]:
    """The sound ends as this voice's replies do, and not before its last mark."""
    timing, shape = examined.timing, examined.shape
    if shape.is_silent:
        return []
    found: list[ReplySign] = []
    beyond_s = timing.ends_at_s - shape.length_s
    most_s = _BEYOND_KNOWN_S if traits.known and timing.fits else _BEYOND_S
    if examined.words and traits.has_fitting_marks and beyond_s > most_s and timing.ends_at_s:
        found.append(ReplySign(SignKind.BEYOND, f"the last {beyond_s:.1f} s of sound are missing"))
    found += _check_tail(traits, examined)
    return found


def _check_tail(traits: VoiceHabits, examined: MeasuredReply) -> list[ReplySign]:
    """By the last mark where this voice has one that fits, which is exact, else by the silence."""
    for tail_s, usual, least_s in (
        (examined.mark_tail_s, traits.steady(lambda facts: facts.tail_s), _TAIL_LEAST_S),
        (examined.shape.tail_s, traits.steady(lambda facts: facts.quiet_s), _QUIET_LEAST_S),
    ):
        if tail_s is None or usual is None:
            continue
        spread_s = max(least_s, _DEVIATIONS * usual[1])
        off_s = tail_s - usual[0]
        if off_s < -spread_s or off_s > spread_s + _LONGER_S:
            sooner = "sooner" if off_s < 0 else "later"
            what = f"the sound ends {abs(off_s):.2f} s {sooner} after its last word than usual"
            return [ReplySign(SignKind.TAIL, what)]
        return []
    if examined.shape.tail_s < _ABRUPT_S and not _ends_with_its_last_word(traits, examined):
        return [ReplySign(SignKind.ABRUPT, SignKind.ABRUPT.value)]
    return []


def _ends_with_its_last_word(traits: VoiceHabits, examined: MeasuredReply) -> bool:
    """Whether the last word of the text has its place in the sound. Of a short text only the mark
    tells, where this voice always ends with its last word."""
    timing = examined.timing
    if not timing.fits and examined.words:
        end, tail = examined.words[-1], traits.steady(lambda facts: facts.tail_s)
        inside = end.boundary.stop / TICKS_PER_S <= examined.shape.length_s
        usual = tail is not None and tail[0] < _TAIL_LEAST_S
        return usual and end.found and end.stop == examined.letters and inside
    if not timing.fits or timing.words[-1].stop < examined.letters:
        return False
    last = timing.words[-1]
    return examined.shape.length_s - last.start_s > 0.7 * last.length_s


def _check_speed(traits: VoiceHabits, examined: MeasuredReply) -> list[ReplySign]:
    """The text can be spoken in that time, and by this voice."""
    span_s = max(0.1, examined.shape.span_s)
    letters = traits.letters_to_say(examined)
    if letters < _SPEED_LETTERS or examined.shape.is_silent:
        return []
    pace = letters / span_s
    usual = traits.usual(
        lambda facts: (
            facts.letters / facts.span_s
            if facts.span_s > 1 and facts.letters >= _OWN_LETTERS
            else None
        )
    )
    if usual is not None:
        spread = min(_OWN_MOST, max(_OWN_LEAST, 8 * usual[1] / usual[0]))
        long = letters >= _OWN_LETTERS
        if pace > usual[0] * (1 + (spread if long else 2 * _OWN_MOST)):
            factor = pace / usual[0]
            return [
                ReplySign(SignKind.FAST, f"spoken {factor:.2f} times as fast as this voice speaks")
            ]
        return []
    factor = pace / examined.asked.letters_per_s
    if factor > _TOO_FAST:
        return [ReplySign(SignKind.FAST, f"the text is spoken {factor:.1f} times too fast")]
    return []


def _check_length(traits: VoiceHabits, examined: MeasuredReply) -> list[ReplySign]:
    """As much is heard as this voice makes of such a text, where marks do not show every word."""
    amount, lengths = traits.amount_of(examined), traits.lengths
    usual = traits.usual(lambda facts: facts.amount.weight)
    if examined.timing.fits or examined.shape.is_silent or lengths is None or usual is None:
        return []
    wanted_s = lengths.estimate_s(amount)
    lacking_s = wanted_s - examined.shape.loud_s
    share = max(_SHORT_LEAST, _SHORT_DEVIATIONS * lengths.deviation)
    share *= max(1.0, math.sqrt(usual[0] / max(1.0, amount.weight)))  # short texts differ more
    if lacking_s <= min(_SHORT_MOST, share) * wanted_s:
        return []
    return [ReplySign(SignKind.SHORT, f"about {lacking_s:.1f} s less speech than usual for it")]


def _check_silence(traits: VoiceHabits, examined: MeasuredReply) -> list[ReplySign]:
    """No silence in place of words: none under marked words, none longer than pauses are."""
    silent = [w for w in examined.silent if not traits.is_left_out(w)]
    if silent and traits.has_fitting_marks:
        what = f"silence instead of {_quoted(examined.asked, silent)}"
        return [ReplySign(SignKind.WORDS, what, tuple(silent))]
    scale = min(1.0, examined.asked.speed)
    limit_s = _SILENCE_S / scale
    usual = traits.usual(lambda facts: facts.longest_s)
    if usual is not None:
        limit_s = usual[0] + max(_OWN_SILENCE_S, _DEVIATIONS * usual[1])
        if examined.timing.fits:
            limit_s = max(limit_s, _SILENCE_S / scale)
    long = [(a, b) for a, b in examined.shape.silences() if b - a > limit_s]
    if not long or _are_pauses(examined, long):
        return []
    start_s, stop_s = max(long, key=lambda pair: pair[1] - pair[0])
    return [
        ReplySign(SignKind.SILENCE, f"{stop_s - start_s:.1f} s of silence after {start_s:.0f} s")
    ]


def _are_pauses(examined: MeasuredReply, long: Sequence[tuple[float, float]]) -> bool:
    """Whether long silences are the pauses between paragraphs: not more of them than there are."""
    text = examined.asked.text.text
    if not examined.timing.fits:
        return len(long) <= text.strip().count("\n\n")
    words = examined.timing.words
    for start_s, stop_s in long:
        before = max((w.stop for w in words if w.start_s < start_s + 0.1), default=0)
        after = min((w.start for w in words if w.start_s > stop_s - 0.3), default=examined.letters)
        places = examined.asked.text.places
        begin = places[before - 1] if before else 0
        end = places[after] if after < len(places) else len(text)
        if "\n" not in text[begin:end]:
            return False
    return True


def _check_words(traits: VoiceHabits, examined: MeasuredReply) -> list[ReplySign]:
    """Every word has a mark or room in the sound."""
    if not traits.has_fitting_marks or not examined.timing.fits:
        return []
    found: list[ReplySign] = []
    missing = tuple(_without_room(traits, examined))
    if missing:
        what = f"no sound for {_quoted(examined.asked, missing)}"
        found.append(ReplySign(SignKind.WORDS, what, missing))
    usual = traits.usual(lambda facts: facts.lost_per_s if facts.fits else None)
    drift_s = (usual[0] if usual else 0.0) * examined.shape.length_s
    drift_s = drift_s if abs(drift_s) > _LOST_S else 0.0  # marks that stray make no other clock
    spread_s = max(_LOST_S, _DEVIATIONS * usual[1] * examined.shape.length_s) if usual else 0.3
    lost_s = max(examined.timing.lost_s - drift_s, 0.0)
    if lost_s > spread_s:
        found.append(ReplySign(SignKind.LOST, f"{lost_s:.2f} s of sound are missing inside"))
    elif examined.timing.shared_s > _SHARED_S and not (examined.missing or examined.silent):
        shared_s = examined.timing.shared_s
        found.append(ReplySign(SignKind.LOST, f"{shared_s:.2f} s of sound for two words at once"))
    return found


def _without_room(traits: VoiceHabits, examined: MeasuredReply) -> Iterator[TextWord]:
    """The missing words, without those that the voice leaves out as a rule."""
    for run in examined.missing:
        wanted = [word for word in run.words if not traits.is_left_out(word)]
        if not run.has_room_for(wanted):
            yield from wanted


def _quoted(asked: AskedText, words: Sequence[TextWord]) -> str:
    """Some words, as a message names them."""
    runs = [[words[0]]]
    for word in words[1:]:
        if word.start == runs[-1][-1].stop:
            runs[-1].append(word)
        else:
            runs.append([word])
    shown = " ".join(asked.text.text[runs[0][0].begin : runs[0][-1].end].split())
    more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    return f'"{shown if len(shown) <= 40 else shown[:39] + "…"}"{more}'


def _check_text(traits: VoiceHabits, examined: MeasuredReply) -> list[ReplySign]:
    """The marks are those of this text, if this voice's are as a rule."""
    usual = traits.usual(lambda facts: facts.marked_share)
    many = len(examined.words) >= 2 * LEAST_WORDS
    if usual is None or not many or usual[0] < 0.8 or examined.marked_share > 0.3:
        return []
    return [ReplySign(SignKind.OTHER, SignKind.OTHER.value)]


_CHECKS = (
    *(_check_stream, _check_end, _check_speed, _check_length),
    *(_check_silence, _check_words, _check_text),
)
