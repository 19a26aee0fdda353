"""Leads words to the phonemes that say them.

Piper tells how long each phoneme sounds, and parts them by blanks; but its front end joins small
words ("of the" is one group) and says a number in several. So words and groups are aligned as
sentences are in parallel texts: the way through with the least difference in length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class TimedPhoneme:
    """A phoneme and the samples it takes, with the silence after it."""

    phoneme: str
    samples: int


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
    """Steps (first word, last word, first group, last group), half open, over all of both."""
    ratio = sum(group.phonemes for group in heard) / sum(weights)
    expected = [weight * ratio for weight in weights]
    costs = {(0, 0): 0.0}
    steps: dict[tuple[int, int], tuple[int, int]] = {}
    width = _MOST_STRAYED * max(len(words), len(heard))
    for i in range(len(words) + 1):
        for j in range(len(heard) + 1):
            here = costs.get((i, j))
            if here is None or abs(i * len(heard) - j * len(words)) > width:
                continue
            for n, m in _moves(words, i, len(heard) - j):
                cost = here + _cost(words, expected, heard, (i, j, n, m))
                if cost < costs.get((i + n, j + m), _NO_WAY):
                    costs[i + n, j + m] = cost
                    steps[i + n, j + m] = (n, m)
    return _walked_back(steps, len(words), len(heard))


def _moves(words: Sequence[str], i: int, left: int) -> list[tuple[int, int]]:
    if i == len(words):
        return [(0, 1)] if left else []
    moves = [(1, 0)]
    if left:
        moves.append((0, 1))
        moves += [(n, 1) for n in range(1, min(_MOST_WORDS_A_GROUP, len(words) - i) + 1)]
        has_digits = any(map(str.isdigit, words[i]))
        most = _MOST_GROUPS_A_NUMBER if has_digits else _MOST_GROUPS_A_WORD
        moves += [(1, m) for m in range(2, min(most, left) + 1)]
    return moves


def _cost(
    words: Sequence[str],
    expected: Sequence[float],
    heard: Sequence[PhonemeGroup],
    step: tuple[int, int, int, int],
) -> float:
    i, j, n, m = step
    if not n or not m:
        return _SILENT_COST + (expected[i] if n else heard[j].phonemes)
    length = sum(group.phonemes for group in heard[j : j + m])
    cost = abs(sum(expected[i : i + n]) - length) + _JOINT_COST * (n + m - 2)
    if (words[i + n - 1][-1] in _PUNCTUATION) != heard[j + m - 1].closes:
        cost += _PUNCTUATION_COST
    return cost


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
