"""Words led to the phonemes that say them, and utterances put together."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book.backends import Settings
from tts_book.backends.contract import check_marks, duration_ms
from tts_book.backends.piper.assembly import (
    PhonemeGroup,
    align_words,
    group_phonemes,
    spread_words,
)
from tts_book.backends.piper.backend import PiperBackend
from tts_book.backends.piper.model import Delivery, Model, TimedPhoneme, Utterance
from tts_book.backends.piper.voices import LocalVoice
from tts_book.errors import BackendIncomplete, BackendRefused, Failure
from tts_book.model import Voice

RATE_HZ = 1_000  # a sample a millisecond
FAKE = LocalVoice(
    "xx_XX-fake-low", "en", Path("fake.onnx"), Path("fake.json"), speakers=(("ann", 0), ("bo", 1))
)
READER = Voice("reader", "piper", FAKE.id, language="en")


def heard(phonemes: str) -> list[PhonemeGroup]:
    """Groups of a drawn utterance, a hundred samples a phoneme."""
    return group_phonemes([TimedPhoneme(sign, 100) for sign in phonemes])


def drawn(words: str, phonemes: str) -> str:
    """Each word with the phonemes that are heard while it lasts."""
    times = align_words(words.split(), heard(phonemes))
    return " ".join(
        f"{word}={phonemes[round(begin / 100) : round(end / 100)].strip()}"
        for word, (begin, end) in zip(words.split(), times, strict=True)
    )


@pytest.mark.parametrize(
    ("words", "phonemes", "expected"),
    [
        ("the cat sat.", "^ðə kat sat.$", "the=ðə cat=kat sat.=sat."),
        ("one of the men", "^wʌn ʌvðə mɛn$", "one=wʌn of=ʌv the=ðə men=mɛn"),
        ("in 25 days", "^ɪn twɛnti faɪv deɪz$", "in=ɪn 25=twɛnti faɪv days=deɪz"),
        (
            "yes, 1,200 men",
            "^jɛs, wʌn θaʊzənd tuhʌndɹɪd mɛn$",
            "yes,=jɛs, 1,200=wʌn θaʊzənd tuhʌndɹɪd men=mɛn",
        ),
        ("a b c", "^abc$", "a=a b=b c=c"),
        ("strength a", "^stɹɛŋθ ɐ$", "strength=stɹɛŋθ a=ɐ"),
    ],
)
def test_words_find_their_phonemes(words: str, phonemes: str, expected: str) -> None:
    assert drawn(words, phonemes) == expected


@pytest.mark.parametrize(("words", "phonemes"), [([], "^abc$"), (["a"], "^$"), (["a"], "^. ,$")])
def test_nothing_to_align(words: list[str], phonemes: str) -> None:
    assert align_words(words, heard(phonemes)) == []


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text(st.sampled_from("abc1,."), min_size=1, max_size=9), min_size=1, max_size=12),
    st.text(st.sampled_from("abˈ ,."), max_size=60),
)
def test_times_are_in_order_whatever_comes(words: list[str], phonemes: str) -> None:
    times = align_words(words, heard(f"^{phonemes}$"))
    if times:
        assert len(times) == len(words)
    flat = [moment for time in times for moment in time]
    assert flat == sorted(flat)
    assert all(0 <= moment <= 100 * (len(phonemes) + 2) for moment in flat)


def test_without_phonemes_words_share_the_time_by_length() -> None:
    assert spread_words(["aa", "bbbb", "cc"], 100, 900) == [(100, 300), (300, 700), (700, 900)]


@dataclass
class FakeModel:
    """A model that says 10 samples a letter after 5 of silence; blank for texts with "mute"."""

    rate_hz: int = RATE_HZ
    asked: list[tuple[str, Delivery]] = field(default_factory=list)
    wait: threading.Event | None = None
    started: threading.Event = field(default_factory=threading.Event)

    def speak(self, text: str, delivery: Delivery) -> list[Utterance]:
        self.asked.append((text, delivery))
        self.started.set()
        if self.wait:
            self.wait.wait(5)
        if "mute" in text:
            return []
        count = 10 * len(text)
        return [Utterance(bytes(10) + b"\x01\x10" * count + bytes(20), 5, 5 + count)]


def fake(model: Model, **options: object) -> PiperBackend:
    return PiperBackend(
        Settings(environ={}),
        load=lambda path, config: model,
        bundled=lambda: (FAKE,),
        **options,  # type: ignore[arg-type]  # rows of options
    )


@pytest.mark.parametrize(
    ("text", "gap_ms"),
    [
        ("Abcd. Efgh.", 600),
        ("Abcd.\n\nEfgh.", 900),
        (f"Abcd {'e' * 390}, efgh.", 200),
    ],
    ids=["sentence", "paragraph", "clause"],
)
def test_silence_is_filled_up_to_the_pause(text: str, gap_ms: int) -> None:
    speech = asyncio.run(fake(FakeModel()).speak(text, READER))
    quiet = speech.audio.strip(b"\0").split(b"\x01\x10" * 10)
    assert max(map(len, quiet)) // 2 == gap_ms
    check_marks(speech.marks, text, duration_ms(speech))


@pytest.mark.parametrize(
    ("voice", "expected"),
    [
        ({}, Delivery(1.0, 1.0)),
        ({"rate_pct": 25}, Delivery(0.8, 1.0)),
        ({"rate_pct": -100}, Delivery(10.0, 1.0)),
        ({"volume_pct": -100}, Delivery(1.0, 0.0)),
        ({"id": f"{FAKE.id}#bo"}, Delivery(1.0, 1.0, speaker=1)),
        ({"id": f"{FAKE.id}#0"}, Delivery(1.0, 1.0, speaker=0)),
    ],
)
def test_the_voice_decides_the_delivery(voice: dict[str, object], expected: Delivery) -> None:
    model = FakeModel()
    asked = Voice(**{"name": "v", "backend": "piper", "id": FAKE.id} | voice)  # type: ignore[arg-type]  # rows
    asyncio.run(fake(model).speak("Abcd.", asked))
    assert model.asked == [("Abcd.", expected)]


@pytest.mark.parametrize(
    ("id_", "told"),
    [
        ("xx_XX-fakes-low", f'Did you mean "{FAKE.id}"?'),
        ("nobody", f"Here: {FAKE.id}."),
        (f"{FAKE.id}#anne", f'Did you mean "{FAKE.id}#ann"?'),
        (f"{FAKE.id}#7", f'Did you mean "{FAKE.id}#'),
    ],
)
def test_unknown_voices_and_speakers_are_refused(id_: str, told: str) -> None:
    with pytest.raises(BackendRefused) as caught:
        asyncio.run(fake(FakeModel()).speak("Abcd.", Voice("v", "piper", id_)))
    assert told in str(caught.value)
    assert caught.value.failure is Failure.MISCONFIGURED


def test_no_sound_for_letters_is_an_error() -> None:
    with pytest.raises(BackendIncomplete) as caught:
        asyncio.run(fake(FakeModel()).speak("mute", READER))
    assert caught.value.failure is Failure.NO_AUDIO


def test_a_long_chunk_is_cut_and_joined() -> None:
    model = FakeModel()
    text = "word " * 200 + "end."
    speech = asyncio.run(fake(model).speak(text, READER))
    assert [len(asked) <= 400 for asked, _ in model.asked] == [True] * 3
    assert " ".join(asked for asked, _ in model.asked) == text
    sentences = [mark for mark in speech.marks if mark.kind == "sentence"]
    assert [(mark.start, mark.stop) for mark in sentences] == [(0, len(text))]


def test_a_package_with_another_model_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "fake.onnx"
    model.write_bytes(b"other")
    voice = LocalVoice("v", "en", model, model, sha256="00")
    backend = PiperBackend(
        Settings(environ={}), load=lambda path, config: FakeModel(), bundled=lambda: (voice,)
    )
    with pytest.raises(BackendRefused, match="published"):
        asyncio.run(backend.speak("Abcd.", Voice("v", "piper", "v")))


def test_without_any_voice_the_mend_is_told() -> None:
    backend = PiperBackend(Settings(environ={}), bundled=tuple)
    health = asyncio.run(backend.health())
    assert not health.usable
    assert health.fix.startswith('pip install "tts-book[offline]"')


def test_a_broken_off_chunk_stops_at_its_next_piece() -> None:
    model = FakeModel(wait=threading.Event())

    async def cancel() -> None:
        speaking = asyncio.create_task(fake(model).speak("One. Two. Three.", READER))
        await asyncio.to_thread(model.started.wait, 5)
        speaking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await speaking
        assert model.wait
        model.wait.set()

    asyncio.run(cancel())
    assert [text for text, _ in model.asked] == ["One."]


def test_as_many_at_once_as_there_are_cores() -> None:
    limits = fake(FakeModel(), cores=6).limits
    assert (limits.start, limits.most, limits.spacing_s) == (6, 6, 0.0)


def test_a_model_is_loaded_once_for_all_threads() -> None:
    loaded = []

    def load(path: Path, config: Path) -> Model:
        loaded.append(path)
        return FakeModel()

    backend = PiperBackend(Settings(environ={}), load=load, bundled=lambda: (FAKE,))

    async def several() -> None:
        await asyncio.gather(*(backend.speak("Abcd.", READER) for _ in range(8)))
        await backend.aclose()

    asyncio.run(several())
    assert loaded == [FAKE.model]
