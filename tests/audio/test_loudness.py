"""Loudness is what the recommendation and ffmpeg say it is."""

from __future__ import annotations

import re
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tts_book.audio.loudness import LoudnessMeter, measure_loudness

RATES_HZ = (16_000, 22_050, 24_000, 44_100, 48_000)


def tone(level_dbfs: float, seconds: float, hz: float, rate_hz: int) -> NDArray[np.int16]:
    turns = 2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz
    samples = np.rint(np.sin(turns) * 32_767 * 10 ** (level_dbfs / 20))
    return np.asarray(samples, np.int16)


def murmur(rate_hz: int) -> NDArray[np.int16]:
    """Something like speech: noise that comes and goes, rests, and a constant offset."""
    random = np.random.default_rng(5)
    envelope = np.repeat(random.choice([0.0, 0.02, 0.4, 1.0], 90), rate_hz // 9)
    return np.asarray(random.normal(0, 4_000, len(envelope)) * envelope + 300, np.int16)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("level_dbfs", [-1.0, -23.0, -40.0])
def test_a_tone_of_1_khz_reads_3_db_below_its_peak(rate_hz: int, level_dbfs: float) -> None:
    """EBU Tech 3341 gives -3.01 LUFS for one channel of a 997-Hz sine at full scale."""
    found = measure_loudness(tone(level_dbfs, 5, 997, rate_hz), rate_hz)
    assert found == pytest.approx(level_dbfs - 3.01, abs=0.1)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # Cases 3 and 4 of EBU Tech 3341, as one channel (3.01 dB less than with two).
        ([(-36, 10), (-23, 60), (-36, 10)], -26.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -26.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -26.0),
    ],
)
def test_what_is_quiet_does_not_count(parts: list[tuple[float, float]], expected: float) -> None:
    sound = np.concatenate([tone(level, seconds, 1_000, 48_000) for level, seconds in parts])
    assert measure_loudness(sound, 48_000) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0, np.int16),
        np.zeros(48_000, np.int16),
        tone(-10, 0.39, 997, 24_000),
        tone(-80, 3, 997, 24_000),
    ],
    ids=["nothing", "silence", "too short", "too quiet"],
)
def test_what_cannot_be_measured_has_no_loudness(sound: NDArray[np.int16]) -> None:
    assert measure_loudness(sound, 24_000) is None


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("most", [1, 31, 700, 50_000])
def test_blocks_of_any_length_measure_the_same(rate_hz: int, most: int) -> None:
    sound = murmur(rate_hz)[: rate_hz * 2]
    meter, random, at = LoudnessMeter(rate_hz), np.random.default_rng(most), 0
    while at < len(sound):
        length = int(random.integers(1, most + 1)) if most > 1 else 97
        meter.add(sound[at : at + length])
        at += length
    assert meter.close() == measure_loudness(sound, rate_hz)


@pytest.mark.external
@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_ffmpeg_measures_the_same(rate_hz: int, tmp_path: Path) -> None:
    sound = murmur(rate_hz)
    path = tmp_path / "murmur.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(sound.tobytes())
    command = ["ffmpeg", "-nostats", "-i", str(path), "-af", "ebur128", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    theirs = float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1])
    assert measure_loudness(sound, rate_hz) == pytest.approx(theirs, abs=0.1)
