"""How the times of a reply's marks lie against its sound, word by word. Pure.

Marks come before the sound by 70 to 160 ms, by voice (measured), and a service may count
otherwise: later, earlier, with a jump after an interjection, slightly faster. So the lag between
mark and sound is found for each word: of all ways to lag, the one whose words lie over sound and
begin where silence ends, with as few jumps as possible (a shortest path). Where even that one
leaves words over silence, the times say nothing about this sound, or sound is missing.

First comes how loud the sound is, moment by moment. Silence in real replies lies between -57 and
-100 dBFS, differs from voice to voice, and is seldom digital zero (measured in 318 recordings), so
it is looked for by its level against the speech, above the voice's own floor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from tts_book.backends.edge.alignment import Folded, Placed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HOP_S = 0.008
_HOP_SAMPLES, _HOPS_AT_ONCE = 192, 512  # at 24 kHz: a third of a frame
_LEAST_DBFS = -110.0
# What is quieter than this as a whole holds no speech: silences reach -57 dBFS, and the softest
# voice's speech lies 20 dB above that.
NO_SPEECH_DBFS = -50.0
# Between silence and speech: above the floor by more than its own ripple, far enough below the
# speech that its soft sounds count, and never so near to it that pauses are lost in a reply
# without any.
_ABOVE_FLOOR_DB, _BELOW_SPEECH_DB, _NEAR_SPEECH_DB = 7.0, 32.0, 18.0
_USUAL_DBFS = -50.0
# Shorter sounds in a silence are clicks; shorter silences in speech are the gaps of consonants.
_CLICK_HOPS = 2
PAUSE_S = 0.08


@dataclass(frozen=True, slots=True)
class Shape:
    """`loud` has a value for each HOP_S of the sound: whether somebody speaks. `summed` are its
    sums from the beginning (one more value). `speech_dbfs` is how loud the speech is."""

    loud: NDArray[np.bool_]
    summed: NDArray[np.int64]
    speech_dbfs: float
    floor_dbfs: float

    @property
    def length_s(self) -> float:
        """All of the sound."""
        return len(self.loud) * HOP_S

    @property
    def loud_s(self) -> float:
        """How long somebody speaks, without any silence."""
        return int(self.summed[-1]) * HOP_S

    @property
    def begin_s(self) -> float:
        """Where the speech begins; the end where there is none."""
        import numpy as np

        return float(np.argmax(self.loud)) * HOP_S if self.summed[-1] else self.length_s

    @property
    def end_s(self) -> float:
        """Where the speech ends; 0 where there is none."""
        import numpy as np

        last = len(self.loud) - int(np.argmax(self.loud[::-1]))
        return last * HOP_S if self.summed[-1] else 0.0

    @property
    def span_s(self) -> float:
        """From the first sound of speech to its last."""
        return max(0.0, self.end_s - self.begin_s)

    @property
    def tail_s(self) -> float:
        """The silence after the speech."""
        return self.length_s - self.end_s

    @property
    def is_silent(self) -> bool:
        """Whether nobody speaks in it at all."""
        return self.speech_dbfs < NO_SPEECH_DBFS or not self.summed[-1]

    def loud_between(self, start_s: float, stop_s: float) -> float:
        """For how many seconds somebody speaks between two times."""
        first = min(max(0, round(start_s / HOP_S)), len(self.loud))
        last = min(max(first, round(stop_s / HOP_S)), len(self.loud))
        return int(self.summed[last] - self.summed[first]) * HOP_S

    def silences(self, least_s: float = PAUSE_S) -> list[tuple[float, float]]:
        """The silences inside the speech of at least that length, from when to when."""
        import numpy as np

        first, last = round(self.begin_s / HOP_S), round(self.end_s / HOP_S)
        edges = np.diff(self.loud[first:last].astype(np.int8), prepend=1, append=1)
        begins, ends = np.flatnonzero(edges == -1) + first, np.flatnonzero(edges == 1) + first
        pairs = zip(begins.tolist(), ends.tolist(), strict=True)
        return [(a * HOP_S, b * HOP_S) for a, b in pairs if (b - a) * HOP_S >= least_s]


def measure_shape(pcm: bytes) -> Shape:
    """The shape of mono 16-bit sound at 24 kHz."""
    import numpy as np

    samples = np.frombuffer(pcm, "<i2")
    count = len(samples) // _HOP_SAMPLES
    rows = samples[: count * _HOP_SAMPLES].reshape(-1, _HOP_SAMPLES)
    power = np.empty(count, np.float32)
    for at in range(0, count, _HOPS_AT_ONCE):  # copies that a processor's cache holds
        some = rows[at : at + _HOPS_AT_ONCE].astype(np.float32)
        power[at : at + _HOPS_AT_ONCE] = np.einsum("ij,ij->i", some, some)
    power /= _HOP_SAMPLES * 32_768.0**2
    levels = 10 * np.log10(np.maximum(power, 10 ** (_LEAST_DBFS / 10)))
    if not count:
        return Shape(np.zeros(0, np.bool_), np.zeros(1, np.int64), _LEAST_DBFS, _LEAST_DBFS)
    speech_dbfs, floor_dbfs = (float(np.percentile(levels, share)) for share in (95, 4))
    limit = max(floor_dbfs + _ABOVE_FLOOR_DB, min(speech_dbfs - _BELOW_SPEECH_DB, _USUAL_DBFS))
    loud = _without_clicks(levels > min(limit, speech_dbfs - _NEAR_SPEECH_DB))
    summed = np.concatenate((np.zeros(1, np.int64), np.cumsum(loud, dtype=np.int64)))
    return Shape(loud, summed, round(speech_dbfs, 1), round(floor_dbfs, 1))


def _without_clicks(loud: NDArray[np.bool_]) -> NDArray[np.bool_]:
    import numpy as np

    edges = np.diff(loud.astype(np.int8), prepend=0, append=0)
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if end - begin < _CLICK_HOPS:
            loud[begin:end] = False
    return loud


TICKS_PER_S = 10_000_000
# Lags that are tried, in steps of two hops of the shape.
_STEP_S = 2 * HOP_S
_MOST_LAG_S = 2.2
# What a change of lag costs, where a word that lies over sound instead of silence wins about 1:
# a jump as much as three words; a single step, as a clock that runs a little faster makes them,
# nearly nothing.
_JUMP_COST, _STEP_COST = 3.0, 0.06
# A lag far from the usual one must be worth it: without pauses any lag fits.
_USUAL_LAG_S, _LAG_COST_PER_S = 0.14, 0.04
# A word sounds if a quarter of its time does; more sound is no better.
_ENOUGH = 4.0
# How much an onset at a word's beginning counts beside the sound in the word.
_ONSET_WEIGHT = 1.0
_ONSET_S = 0.06
# A mark that leaves a longer word less than this share of its time is none.
_SLOT_SHARE, SHORT_LETTERS = 0.3, 3
# Nobody says a word in less, where marks have lengths of their own.
_LEAST_MARK_TICKS = 350_000
# Fewer words tell nothing about lags.
LEAST_WORDS = 4
# A word is silent if so little of it sounds; shorter ones cannot be judged.
_SILENT_S, _SILENT_SHARE, _LEAST_WORD_S = 0.05, 0.15, 0.12
# Times are no times of this sound if so many words lie over silence, or do not follow each other.
_MOST_SILENT_SHARE, _MOST_UNORDERED_SHARE, _MOST_BACK_S = 0.12, 0.1, 0.6
# Marks have a length of their own if it is this share of the time to the next one.
_OWN_SHARE = 0.45
# How much of a word's time may be left before the next one begins, or taken from it.
_EXACT_REST = (-0.08, 0.25)
# A jump is a habit of counting where the marks leave a gap of that size which the sound has not.
_BIG_JUMP_S, _MOST_DRIFT, _WORDS_A_JUMP = 0.3, 0.03, 12
# How long gaps are at most, as long as no more of their kind are known.
_USUAL_GAPS_S = {"none": 0.1, "comma": 0.5, "sentence": 1.3, "paragraph": 1.6}
_ODD_GAP_S = 0.25
_JUMP_S, _EXPLAINED_SHARE, _JUMP_WORDS = 0.06, 0.6, 4


@dataclass(frozen=True, slots=True)
class MarkedWord:
    """A marked word: its letters, and when it is heard in the sound."""

    start: int
    stop: int
    start_s: float
    stop_s: float
    is_silent: bool

    @property
    def length_s(self) -> float:
        return self.stop_s - self.start_s


@dataclass(frozen=True, slots=True)
class MarkTiming:
    """The words of a reply in the time of its sound. `lag_s` is the usual distance from mark to
    sound; `lost_s` is how much less sound there is than the marks say (with their own gaps allowed
    for), `shared_s` the longest stretch of sound that two words would have to share; `ends_at_s`
    is where the last mark ends by the usual lag; `exact_ends`: marks end where their words do.
    `fits` is false where the times are none of this
    sound; then there are no words."""

    fits: bool = False
    lag_s: float = 0.0
    lost_s: float = 0.0
    shared_s: float = 0.0
    ends_at_s: float = 0.0
    exact_ends: bool = False
    words: tuple[MarkedWord, ...] = ()


def time_words(text: Folded, placed: Sequence[Placed], shape: Shape) -> MarkTiming:
    """Finds the marked words in the sound."""
    import numpy as np

    # Marks at the very beginning would come before it, if they could.
    marked = [p for p in placed if p.found and p.boundary.kind == "word" and p.boundary.start > 0]
    found = _with_slots(marked)
    if len(found) < LEAST_WORDS or shape.is_silent:
        return MarkTiming()
    starts = np.array([p.boundary.start for p in found]) / TICKS_PER_S
    stops = np.array([p.boundary.stop for p in found]) / TICKS_PER_S
    steps = np.diff(starts)
    if (steps <= 0.01).sum() > _MOST_UNORDERED_SHARE * len(
        steps
    ) + 1 or steps.min() < -_MOST_BACK_S:
        return MarkTiming()
    starts = np.maximum.accumulate(starts)
    ends = _window_ends(found, starts, stops)
    gaps = _Gaps.of(text, found, starts, ends)
    lags = _find_lags(starts, ends, gaps, shape)
    words = tuple(
        _timed(p, a, b, shape) for p, a, b in zip(found, starts + lags, ends + lags, strict=True)
    )
    silent = sum(word.is_silent for word in words)
    lag_s = float(np.median(lags))
    ends_at_s = float(stops.max()) + lag_s
    if silent > max(1, _MOST_SILENT_SHARE * len(words)) and silent < len(words) / 2:
        fits = _run_share(words) > 0.6
    else:
        fits = silent <= len(words) / 2
    if not fits or _runs_otherwise(starts, lags):
        return MarkTiming(lag_s=lag_s, ends_at_s=ends_at_s)
    lost_s, shared_s = gaps.lost_s(lags), gaps.shared_s(lags)
    exact = _are_exact(starts, stops, gaps.kinds == "none")
    return MarkTiming(True, lag_s, lost_s, shared_s, ends_at_s, exact, words)


def time_few_words(placed: Sequence[Placed], shape: Shape, lag_s: float) -> MarkTiming:
    """The marked words of a reply with too few to show their lag, by that of the voice's other
    replies."""
    found = [p for p in placed if p.found and p.boundary.kind == "word" and p.boundary.start > 0]
    times = [(p.boundary.start / TICKS_PER_S, p.boundary.stop / TICKS_PER_S) for p in found]
    if not found or shape.is_silent or times != sorted(times):
        return MarkTiming()
    ends = [min(stop, after) for (_, stop), (after, _) in pairwise(times)] + [times[-1][1]]
    words = tuple(
        _timed(p, start + lag_s, max(start, end) + lag_s, shape)
        for p, (start, _), end in zip(found, times, ends, strict=True)
    )
    return MarkTiming(True, lag_s, ends_at_s=times[-1][1] + lag_s, words=words)


def _are_exact(
    starts: NDArray[np.float64], stops: NDArray[np.float64], together: NDArray[np.bool_]
) -> bool:
    """Whether marks end where the next one begins, as a rule, where no pause is written."""
    import numpy as np

    slots = np.diff(starts)[together]
    rests = (starts[1:] - stops[:-1])[together]
    if not len(slots):
        return False
    low, high = _EXACT_REST
    return bool(low < np.median(rests / np.maximum(slots, 0.01)) < high)


def _with_slots(found: Sequence[Placed]) -> list[Placed]:
    """The words that have some time of their own before the next one begins: a service may mark
    what it does not say."""
    slots = [b.boundary.start - a.boundary.start for a, b in pairwise(found)]
    if not slots:
        return list(found)
    lengths = [p.boundary.stop - p.boundary.start for p in found]
    own = _have_own_lengths(found, lengths[:-1], slots)
    per_letter = median(
        slot / (p.stop - p.start) for slot, p in zip(slots, found[:-1], strict=True)
    )
    kept = []
    for slot, length, p in zip(slots, lengths[:-1], found[:-1], strict=True):
        letters = p.stop - p.start
        tiny = own and length < _LEAST_MARK_TICKS
        if letters > SHORT_LETTERS:
            tiny |= 0 <= slot < _SLOT_SHARE * per_letter * letters
        if not tiny:
            kept.append(p)
    return [*kept, found[-1]]


def _have_own_lengths(
    found: Sequence[Placed], lengths: Sequence[float], slots: Sequence[float]
) -> bool:
    """Whether marks last about as long as their words: those whose next word is marked, too, tell
    it best."""
    together = [(x, y) for x, y, (a, b) in zip(lengths, slots, pairwise(found), strict=True)
                if a.stop == b.start]  # fmt: skip
    some = together if len(together) > 1 else list(zip(lengths, slots, strict=True))
    return median(x for x, _ in some) >= _OWN_SHARE * median(y for _, y in some)


def _runs_otherwise(starts: NDArray[np.float64], lags: NDArray[np.float64]) -> bool:
    """Whether the marks follow another clock than the sound: the lag changes with every word."""
    import numpy as np

    steps = np.abs(np.diff(lags))
    drift_s = float(steps[steps < _BIG_JUMP_S].sum())
    jumps = int((steps >= _BIG_JUMP_S).sum())
    length_s = float(starts[-1] - starts[0])
    return drift_s > _MOST_DRIFT * length_s + 0.3 or jumps > 2 + len(lags) // _WORDS_A_JUMP


def _run_share(words: Sequence[MarkedWord]) -> float:
    """Which share of the silent words stands in one row: silence in place of words is in one
    place, times that do not fit are wrong in many."""
    longest = run = 0
    for word in words:
        run = run + 1 if word.is_silent else 0
        longest = max(longest, run)
    return longest / max(1, sum(word.is_silent for word in words))


def _window_ends(
    found: Sequence[Placed], starts: NDArray[np.float64], stops: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where each word's own time ends: at its mark's end, but not after the next one begins; where
    marks have no length of their own, after as long as the letters take."""
    import numpy as np

    letters = np.array([p.stop - p.start for p in found])
    following = np.append(starts[1:], max(float(stops.max()), float(starts[-1]) + 0.1))
    slots = np.maximum(following - starts, 0.01)
    own: NDArray[np.float64] = np.maximum(np.minimum(stops, following), starts + HOP_S)
    if _have_own_lengths(found, (own - starts)[:-1].tolist(), slots[:-1].tolist()):
        return own
    usual = slots <= 3 * np.median(slots)
    per_letter = float(slots[usual].sum() / letters[usual].sum())
    ends: NDArray[np.float64] = starts + np.minimum(slots, letters * per_letter)
    return ends


def _find_lags(
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    gaps: _Gaps,
    shape: Shape,
) -> NDArray[np.float64]:
    """The lag of each word along the best path."""
    import numpy as np

    lags = np.arange(-_MOST_LAG_S, _MOST_LAG_S + _STEP_S / 2, _STEP_S)
    gains = _gains(starts, ends, gaps.unmarked_s, lags, shape)
    jump_costs = gaps.jump_costs
    gains -= _LAG_COST_PER_S * np.abs(lags - _USUAL_LAG_S)
    best, came = gains[0], np.zeros((len(starts), len(lags)), np.int32)
    own = np.arange(len(lags))
    for number in range(1, len(starts)):
        from_left = np.append(-np.inf, best[:-1]) - _STEP_COST
        from_right = np.append(best[1:], -np.inf) - _STEP_COST
        top = int(best.argmax())
        choices = np.stack(
            (best, from_left, from_right, np.full(len(lags), best[top] - jump_costs[number - 1]))
        )
        choice = choices.argmax(axis=0)
        came[number] = np.choose(choice, (own, own - 1, own + 1, np.full(len(lags), top)))
        best = choices.max(axis=0) + gains[number]
    path = np.empty(len(starts), np.int32)
    path[-1] = int(best.argmax())
    for number in range(len(starts) - 1, 0, -1):
        path[number - 1] = came[number, path[number]]
    found: NDArray[np.float64] = lags[path]
    return found


def _gains(
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    unmarked_s: NDArray[np.float64],
    lags: NDArray[np.float64],
    shape: Shape,
) -> NDArray[np.float64]:
    """What each word wins by each lag: the share of it that sounds, and an onset at its start, or,
    behind words without a mark, the share of those that sounds."""
    import numpy as np

    def loud(first: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.float64]:
        most = len(shape.loud)
        a = np.clip(np.rint(first / HOP_S).astype(np.int64), 0, most)
        b = np.clip(np.rint(last / HOP_S).astype(np.int64), 0, most)
        hops = shape.summed[np.maximum(a, b)] - shape.summed[a]
        return hops.astype(np.float64) * HOP_S

    begin = starts[:, None] + lags[None, :]
    stop = ends[:, None] + lags[None, :]
    share: NDArray[np.float64] = loud(begin, stop) / np.maximum(stop - begin, HOP_S)
    onset = loud(begin, begin + _ONSET_S) - loud(begin - _ONSET_S - HOP_S, begin - HOP_S)
    before_s = np.maximum(unmarked_s, HOP_S)[:, None]
    unmarked = np.minimum(1.0, _ENOUGH * loud(begin - before_s, begin) / before_s)
    # Nothing holds those before the first mark in their place.
    unmarked *= (unmarked_s > 0)[:, None] & (np.arange(len(starts)) > 0)[:, None]
    # The larger of both: a word behind a pause is found by its onset also where words are missing,
    # which are not to draw it to where something sounds before it.
    behind = np.maximum(unmarked, onset / _ONSET_S)
    made: NDArray[np.float64] = np.minimum(1.0, _ENOUGH * share) + _ONSET_WEIGHT * behind
    return made


def _timed(placed: Placed, start_s: float, stop_s: float, shape: Shape) -> MarkedWord:
    length_s = stop_s - start_s
    loud_s = shape.loud_between(start_s, stop_s)
    silent = length_s >= _LEAST_WORD_S and loud_s < min(_SILENT_S, _SILENT_SHARE * length_s)
    return MarkedWord(placed.start, placed.stop, float(start_s), float(stop_s), silent)


@dataclass(frozen=True, slots=True)
class _Gaps:
    """The times between marked words, and by how much each is longer than is usual in this reply
    for what stands there in the text; `unmarked_s` is how long the words without a mark before each
    marked word take."""

    gaps: NDArray[np.float64]
    kinds: NDArray[np.str_]
    excess: NDArray[np.float64]
    unmarked_s: NDArray[np.float64]

    @staticmethod
    def of(
        text: Folded,
        found: Sequence[Placed],
        starts: NDArray[np.float64],
        ends: NDArray[np.float64],
    ) -> _Gaps:
        import numpy as np

        gaps = starts[1:] - ends[:-1]
        kinds = np.array([_kind(text, a.stop, b.start) for a, b in pairwise(found)])
        letters = sum(p.stop - p.start for p in found)
        before = [0, *(p.stop for p in found)]
        unmarked = np.array([max(0, p.start - a) for p, a in zip(found, before, strict=False)])
        unmarked_s = unmarked * float((ends - starts).sum() / letters)
        excess = gaps - unmarked_s[1:]
        for kind in set(kinds.tolist()):
            usual_s = min(float(np.percentile(excess[kinds == kind], 25)), _USUAL_GAPS_S[kind])
            excess[kinds == kind] -= usual_s
        return _Gaps(gaps, kinds, excess, unmarked_s)

    @property
    def jump_costs(self) -> NDArray[np.float64]:
        """What a jump of the lag costs at each gap: less where the marks leave an odd one."""
        import numpy as np

        costs: NDArray[np.float64] = np.where(
            self.excess > _ODD_GAP_S, 0.5 * _JUMP_COST, _JUMP_COST
        )
        return costs

    def lost_s(self, lags: NDArray[np.float64]) -> float:
        """By how much the sound comes earlier at the end than at the beginning, without what odd
        gaps between marks explain. Medians of some words: single marks stray by 50 ms."""
        import numpy as np

        some = max(1, min(12, len(lags) // 2))
        net = float(np.median(lags[-some:]) - np.median(lags[:some]))
        for first, last, change in _jumps(lags):
            near = self.excess[max(0, first - 2) : last + 2]
            if change < -_JUMP_S and float(near.max()) > -_EXPLAINED_SHARE * change:
                net -= change
        return -net

    def shared_s(self, lags: NDArray[np.float64]) -> float:
        """The longest time that two words in a row have in common."""
        import numpy as np

        return float(np.max(-np.diff(lags) - self.gaps, initial=0.0))


def _jumps(lags: NDArray[np.float64]) -> Iterator[tuple[int, int, float]]:
    """Where the lag changes, from which gap to which, and by how much; a change may take some
    words."""
    steps = [later - earlier for earlier, later in pairwise(lags.tolist())]
    at = 0
    while at < len(steps):
        last, change = at, 0.0
        while last < len(steps) and abs(steps[last]) > HOP_S and last - at < _JUMP_WORDS:
            change += steps[last]
            last += 1
        if last > at:
            yield at, last, change
        at = max(last, at + 1)


def _kind(text: Folded, stop: int, start: int) -> str:
    """What stands between two words: nothing, a comma, the end of a sentence or a paragraph."""
    if start >= len(text.places):
        return "sentence"
    between = text.text[text.places[stop - 1] + 1 : text.places[start]]
    if "\n" in between:
        return "paragraph"
    if re.search(r"[.!?…。！？]", between):
        return "sentence"
    return "comma" if re.search(r"[^\w\s]", between) else "none"
