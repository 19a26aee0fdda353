"""Whether the sound has room for words that were not heard."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tts_book.audio.decoder import SPEECH_RATE_HZ
from tts_book.output.inspection.ear.comparison import compare_words
from tts_book.output.inspection.ear.pace import HeardWord, SpeechClock, join_words

TEXT = (
    "Before breakfast the keeper counted his candles twice, because nobody had believed him when "
    "he said that forty were gone, and the harbour office wanted exact figures by Friday evening."
)
WORDS = TEXT.split()
S_PER_LETTER = 0.07
SHORT = slice(9, 12)  # "because nobody had"


def speak(
    words: list[str], silent: slice = slice(0)
) -> tuple[NDArray[np.float32], list[HeardWord]]:
    """A hum for each word, as long as the word is, with its times."""
    silenced = words[silent]
    parts, times, now_s = [], [], 0.0
    for at, word in enumerate(words):
        size = round((len(word) + 1) * S_PER_LETTER * SPEECH_RATE_HZ)
        hum = np.sin(np.arange(size) / 20).astype(np.float32)
        parts.append(hum * (0 if silenced and silent.start <= at < silent.stop else 0.3))
        times.append(HeardWord(word, now_s, now_s + size / SPEECH_RATE_HZ))
        now_s += size / SPEECH_RATE_HZ
    return np.concatenate(parts), times


def lacks(samples: NDArray[np.float32], heard: list[HeardWord]) -> list[bool]:
    clock = SpeechClock(samples, heard)
    found = compare_words(TEXT, join_words(heard), "en", slight=True)
    return [clock.lacks(each) for each in found]


@pytest.mark.parametrize("gone", [slice(0, 3), SHORT, slice(20, 26), slice(-3, None)])
def test_words_that_were_cut_out_leave_no_time(gone: slice) -> None:
    left = [word for word in WORDS if word not in WORDS[gone]]
    assert lacks(*speak(left)) == [True]


@pytest.mark.parametrize("gone", [slice(0, 3), SHORT, slice(20, 26), slice(-3, None)])
def test_words_that_only_the_recogniser_left_out_leave_theirs(gone: slice) -> None:
    samples, heard = speak(WORDS)
    unheard = set(WORDS[gone])
    assert lacks(samples, [word for word in heard if word.text not in unheard]) == [False]


def test_words_that_were_silenced_leave_time_without_speech() -> None:
    samples, heard = speak(WORDS, silent=SHORT)
    unheard = set(WORDS[SHORT])
    assert lacks(samples, [word for word in heard if word.text not in unheard]) == [True]


def test_a_number_takes_longer_than_it_is_written() -> None:
    """Its own time does not speak against the words beside it."""
    left = [word for word in WORDS if word not in WORDS[SHORT]]
    samples, heard = speak([*left[:7], "seventeenhundredtwentyfive", *left[7:]])
    heard[7] = HeardWord("1725", heard[7].start_s, heard[7].stop_s)
    assert lacks(samples, heard) == [True]


def test_nothing_heard_and_no_sound_say_nothing_about_time() -> None:
    samples, _ = speak(WORDS)
    assert lacks(samples, []) == [False]
    assert lacks(samples[:0], [HeardWord("keeper", 0, 0)]) == [False]
