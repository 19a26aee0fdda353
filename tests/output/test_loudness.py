"""One gain for each voice and book: near the target, never clipping, whatever the order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import tones
from tests.fakes import ScriptedBackend, Time, in_time
from tests.pipeline.test_run import CHAPTERS, prepared
from tts_book import audio
from tts_book.audio import file_tags
from tts_book.audio.loudness import Loudness, measure_loudness
from tts_book.errors import UserError
from tts_book.model import Pauses, Sound, Speech
from tts_book.output.settings import OutputSettings, parse_loudness
from tts_book.pipeline.planning import prepare_output
from tts_book.pipeline.run import Result, convert_jobs
from tts_book.pipeline.selection import EVERYTHING, Selection
from tts_book.synthesis.chunk_cache import ChunkCache

ID3: Any = import_module("mutagen.id3").ID3  # mutagen tells no types
RATE_HZ = 24_000
SOUND = Sound(1, 100, 144, 576, RATE_HZ, 0, 100, (), -22.0, -9.0)


VOICE, SOFT, LOUD = ((1, name) for name in ("voice", "soft", "loud"))


def hum(level: float, seconds: float = 3.0, peak: float = 0.0) -> NDArray[np.int16]:
    """A voice-like hum; with a `peak`, one short burst of that height in its middle."""
    at = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    wave = level * np.sin(2 * np.pi * 700 * at) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * at))
    if peak:
        burst = slice(len(wave) // 2, len(wave) // 2 + 240)
        wave[burst] = peak * np.sin(2 * np.pi * 700 * at[:240])
    return (wave * 32_767).astype(np.int16)


def meter(loudness_lufs: float, peak_dbfs: float) -> audio.Meter:
    return audio.Meter([replace(SOUND, loudness_lufs=loudness_lufs, peak_dbfs=peak_dbfs)])


def heard(path: Path) -> NDArray[np.int16]:
    return tones.play(path)


def lufs(path: Path) -> float:
    found = measure_loudness(heard(path), RATE_HZ)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("-19", -19.0), ("-23.5", -23.5), ("off", None), (" OFF ", None), ("−16 LUFS", -16.0)],
)
def test_what_may_be_asked_for(text: str, wanted: float | None) -> None:
    assert parse_loudness(text) == wanted


@pytest.mark.parametrize("text", ["loud", "19", "0", "-70", "nan", "inf", "-1e9"])
def test_what_may_not(text: str) -> None:
    with pytest.raises(UserError, match="--loudness"):
        parse_loudness(text)


def test_the_gain_is_that_of_all_chapters_whatever_their_order() -> None:
    levels = {1: meter(-22.0, -9.0), 2: meter(-25.0, -2.0), 3: meter(-20.0, -5.0)}
    settled = set()
    for order in ([1, 2, 3], [3, 1, 2], [2, 3, 1]):
        loudness = Loudness(-19.0)
        for number in order:
            loudness.steps(VOICE, number, levels[number])
        settled.add(loudness.settled(VOICE))
    assert settled == {2}


def test_each_voice_has_a_gain_of_its_own() -> None:
    loudness = Loudness(-19.0)
    loudness.steps(SOFT, 1, meter(-25.0, -12.0))
    loudness.steps(LOUD, 2, meter(-16.0, -1.0))
    assert (loudness.settled(SOFT), loudness.settled(LOUD)) == (4, -2)


@pytest.mark.parametrize(
    ("loudness_lufs", "peak_dbfs", "target_lufs", "off_db"),
    [
        (-22.0, -9.0, -19.0, None),
        (-28.0, 0.0, -19.0, None),  # one word at full scale: it alone is made softer
        (-23.1, -1.0, -19.0, None),
        (-28.0, 0.0, -9.0, -7.3),  # speech would be squashed
        (-28.0, -20.0, -9.0, None),
        (-16.0, 0.0, -19.0, None),
        (-16.0, 0.0, None, None),
    ],
)
def test_a_voice_that_misses_the_target_is_reported(
    loudness_lufs: float, peak_dbfs: float, target_lufs: float | None, off_db: float | None
) -> None:
    loudness = Loudness(target_lufs)
    loudness.steps(VOICE, 1, meter(loudness_lufs, peak_dbfs))
    found = [each.loudness_lufs - each.target_lufs for each in loudness.find_off_target()]
    assert found == ([] if off_db is None else [pytest.approx(off_db, abs=0.8)])


def shout(text: str, attempt: int) -> Speech:
    """A soft voice, with one word at full scale in the second chapter."""
    peak = 1.0 if "second" in text else 0.0
    return Speech(audio.encode(hum(0.05, 20.0, peak=peak).tobytes(), RATE_HZ), "mp3")


def test_one_loud_word_makes_no_book_quiet(tmp_path: Path) -> None:
    paths = convert(tmp_path, OutputSettings(), speak=shout)
    assert [lufs(path) for path in paths] == pytest.approx([-19.0] * 3, abs=1.2)
    loudest = np.abs(heard(paths[1]).astype(int)).max() / 32_768
    assert 0.6 < loudest <= 10 ** (audio.PEAK_DBFS / 20)
    quiet, word = heard(paths[0]), heard(paths[1])
    away = np.r_[: len(quiet) // 5, len(quiet) * 2 // 5 : len(quiet)]
    assert np.abs(word[away].astype(int) - quiet[away]).max() < 400  # the rest is as it would be


def test_silence_and_off_change_nothing() -> None:
    assert Loudness(-19.0).steps(VOICE, 1, audio.Meter()) == 0
    assert Loudness(None).steps(VOICE, 1, meter(-30.0, -20.0)) == 0


LEVELS = {"first": 0.08, "second": 0.1, "third": 0.3, "lamp": 0.08, "broken": 0.1, "ship": 0.3}


def speak(text: str, attempt: int) -> Speech:
    level = next(level for word, level in LEVELS.items() if word in text)
    return Speech(audio.encode(hum(level).tobytes(), RATE_HZ), "mp3")


def convert(
    folder: Path,
    wanted: OutputSettings,
    only: Selection = EVERYTHING,
    speak: Callable[[str, int], Speech] = speak,
) -> list[Path]:
    item = replace(prepared(folder, ScriptedBackend(speak), *CHAPTERS), only=only)
    prepare_output([item], force=True)
    results: list[Result] = []

    async def work(time: Time) -> None:
        cache, tools = ChunkCache(folder / "cache"), time.tools()
        results.append(
            await convert_jobs([item], Pauses(), cache, lambda event: None, tools, wanted)
        )

    in_time(work)
    return list(results[0].written)


def test_a_book_is_as_loud_as_asked_and_its_chapters_keep_their_distance(tmp_path: Path) -> None:
    plain = [lufs(path) for path in convert(tmp_path, OutputSettings(loudness_lufs=None))]
    for target_lufs in (-19.0, -23.0):
        paths = convert(tmp_path, OutputSettings(loudness_lufs=target_lufs))
        gains = [lufs(path) - before for path, before in zip(paths, plain, strict=True)]
        assert max(gains) - min(gains) < 0.1
        assert gains[0] / audio.GAIN_STEP_DB == pytest.approx(round(gains[0] / 1.505), abs=0.1)
        power = np.mean([10 ** (lufs(path) / 10) for path in paths])
        assert 10 * np.log10(power) == pytest.approx(target_lufs, abs=0.8)


def test_a_second_run_writes_the_same_bytes(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in convert(tmp_path, OutputSettings())]
    assert [path.read_bytes() for path in convert(tmp_path, OutputSettings(force=True))] == first


def test_a_chapter_alone_has_the_gain_of_its_book(tmp_path: Path) -> None:
    whole = [path.read_bytes() for path in convert(tmp_path, OutputSettings())]
    (path,) = convert(tmp_path, OutputSettings(force=True), Selection(frozenset({1})))
    assert path.read_bytes() == whole[0]


def test_replaygain_tells_what_is_missing_to_its_own_level(tmp_path: Path) -> None:
    path = convert(tmp_path, OutputSettings())[2]
    told = float(str(ID3(path)["TXXX:REPLAYGAIN_TRACK_GAIN"]).removesuffix(" dB"))
    assert told == pytest.approx(-18 - lufs(path), abs=0.5)
    assert file_tags.read_tags(path).title == "Chapter 3"


def test_peaks_of_an_engine_are_rounded_off_and_the_rest_stays(tmp_path: Path) -> None:
    sound = hum(0.05, peak=0.9)
    soft = np.frombuffer(audio.round_off(sound.tobytes(), RATE_HZ), "<i2")
    loudness = measure_loudness(sound, RATE_HZ)
    assert loudness is not None
    ceiling = 32_768 * 10 ** ((loudness + 16) / 20)
    assert ceiling * 0.8 < np.abs(soft.astype(int)).max() <= ceiling + 1
    away = np.r_[0 : len(sound) // 2 - 1_000, len(sound) // 2 + 1_300 : len(sound)]
    assert np.array_equal(soft[away], sound[away])


@pytest.mark.parametrize("sound", [hum(0.3), hum(0.3, 0.01), np.zeros(24_000, np.int16)])
def test_sound_without_such_peaks_is_left_alone(sound: NDArray[np.int16]) -> None:
    assert audio.round_off(sound.tobytes(), RATE_HZ) == sound.tobytes()


def test_words_are_read_from_louder_sound(tmp_path: Path) -> None:
    text = "The lamp was lit."
    frames, _ = tones.speech(text, level=0.05)
    form = audio.format_at(frames)
    louder = audio.amplify(frames, 6, form)
    assert [word.code for word in tones.read(np.frombuffer(audio.decode(louder)[0], "<i2"))] == (
        tones.codes(text)
    )
    assert len(louder) == len(frames)
