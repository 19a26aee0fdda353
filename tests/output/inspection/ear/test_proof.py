"""Hearing finished files: a recogniser of tone words hears real MP3s, whole and damaged."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import tts_book
from tests import tones
from tests.cli.test_commands import Desk
from tests.fakes import ScriptedBackend
from tts_book import audio
from tts_book.cli.commands.ear import hear, parse_share
from tts_book.cli.commands.publication import page
from tts_book.errors import UserError
from tts_book.model import Speech
from tts_book.output.inspection.ear.pace import HeardWord, join_words
from tts_book.output.inspection.ear.proof import judge_samples
from tts_book.output.inspection.ear.recognizer import SpokenLanguage

_CHANCE = random.Random(4)
_SYLLABLES = ["ba", "de", "fi", "go", "lu", "mar", "nes", "pol", "rim", "sat", "tor", "vin"]
_WORDS = ["".join(_CHANCE.choices(_SYLLABLES, k=3)) for _ in range(600)]
BOOK = "\n\n".join(
    f"Chapter {number}\n\n"
    + " ".join(" ".join(_CHANCE.sample(_WORDS, 9)).capitalize() + "." for _ in range(30))
    for number in (1, 2)
)


def speak(text: str, attempt: int) -> Speech:
    frames, marks = tones.speech(text, lead_ms=60, tail_ms=120)
    return Speech(frames, "mp3", marks=marks)


@dataclass
class ToneRecognizer:
    """Hears tone words; `language` is what it takes the sound for."""

    folder: Path
    language: str = "en"
    name: str = "tones"
    workers: int = 2
    heard: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def transcribe(self, samples: NDArray[np.float32], language: str) -> str:
        return join_words(self.transcribe_carefully(samples, language))

    def transcribe_carefully(
        self, samples: NDArray[np.float32], language: str
    ) -> tuple[HeardWord, ...]:
        with self.lock:
            self.heard.append(len(samples))
        size = len(samples) * 3 // 2
        at = np.arange(size) * 2 / 3
        louder = np.interp(at, np.arange(len(samples)), samples) * 32_000
        words = {tones.code(word): word for word in BOOK.split()}
        found = tones.read(louder.astype(np.int16))
        return tuple(
            HeardWord(
                words.get(each.code, "noise"),
                each.start_ms / 1_000,
                (each.start_ms + tones.WORD_MS) / 1_000,
            )
            for each in found
        )

    def detect_language(self, samples: NDArray[np.float32]) -> SpokenLanguage | None:
        return SpokenLanguage(self.language, 0.95)

    def check_language(self, language: str) -> None:
        if language != "en":
            raise UserError("English only")


@dataclass
class Proof:
    """A written book, and how it is heard."""

    at: Desk
    folder: Path
    recognizers: list[ToneRecognizer] = field(default_factory=list)
    language: str = "en"

    def hear(self, **options: str) -> int:
        return self.at.run(
            hear(
                self.at.here(),
                [str(self.folder)],
                model=str(self.at.folder / "model"),
                sample=options.get("sample", ""),
                only=options.get("only", ""),
                cache=self.at.folder / "cache",
                as_json=True,
                load=self._load,
            )
        )

    def _load(self, folder: Path) -> ToneRecognizer:
        self.recognizers.append(ToneRecognizer(folder, self.language))
        return self.recognizers[-1]

    def findings(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.at.out.getvalue().splitlines()]


@pytest.fixture
def proof(tmp_path: Path) -> Proof:
    at = Desk(tmp_path)
    at.write("model/model.bin", b"")
    tts_book.convert(
        at.write("book.txt", BOOK),
        backend=ScriptedBackend(speak),
        language="en",
        output=tmp_path / "out",
        cache=tmp_path / "cache",
        voice="scripted:one",
        surroundings=at.here(),
    )
    return Proof(at, tmp_path / "out" / "book")


def damage(folder: Path, change: Callable[[NDArray[np.int16]], NDArray[np.int16]]) -> None:
    """The second chapter's file with other sound."""
    path = sorted(folder.glob("*.mp3"))[1]
    sound = change(tones.play(path))
    path.write_bytes(audio.encode(sound.astype(np.int16).tobytes(), tones.RATE_HZ))


def briefly_silent(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    sound[stretch(1.0)] = 0
    return sound


def cut(sound: NDArray[np.int16], seconds: float = 4.0, at_s: float = 20.0) -> NDArray[np.int16]:
    gone = stretch(seconds, at_s)
    return np.concatenate([sound[: gone.start], sound[gone.stop :]])


def lengthened(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    twice = stretch(4)
    return np.concatenate([sound[: twice.stop], sound[twice.start :]])


def stretch(seconds: float, at_s: float = 20.0) -> slice:
    return slice(int(at_s * tones.RATE_HZ), int((at_s + seconds) * tones.RATE_HZ))


def silent(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    sound[stretch(4)] = 0
    return sound


def noisy(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    sound[stretch(4)] = np.random.default_rng(1).normal(0, 9_000, 4 * tones.RATE_HZ)
    return sound


def other_words(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    sound[stretch(4)] = sound[stretch(4, at_s=40.0)]
    return sound


def ended_early(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    return sound[: len(sound) // 2]


def test_a_good_book_has_no_findings(proof: Proof) -> None:
    assert proof.hear() == 0
    assert proof.findings() == []
    assert "0 wrong" in proof.at.err.getvalue()


@pytest.mark.parametrize(
    "change", [silent, briefly_silent, noisy, other_words, cut, lengthened, ended_early]
)
def test_damage_is_found_with_its_place_and_its_fix(
    proof: Proof, change: Callable[[NDArray[np.int16]], NDArray[np.int16]]
) -> None:
    damage(proof.folder, change)
    assert proof.hear() == 1
    found = proof.findings()
    assert {each["chapter"] for each in found} == {2}
    assert found[0]["error"]
    assert str(found[0]["place"]).startswith("book.txt:7:")
    assert " --redo 2/" in str(found[0]["again"])


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (cut, {2}),
        (lengthened, {2}),
        (lambda sound: cut(cut(sound), 3.0, 10.0), {2}),
        (lambda sound: cut(cut(sound), 3.0, 50.0), {2, 3}),
    ],
)
def test_what_follows_a_cut_is_found_where_it_is_now(
    proof: Proof, change: Callable[[NDArray[np.int16]], NDArray[np.int16]], wrong: set[int]
) -> None:
    """Only the chunks in which something was cut out or put in are wrong, not all behind them."""
    damage(proof.folder, change)
    assert proof.hear() == 1
    assert {each["chunk"] for each in proof.findings()} == wrong


def test_another_language_is_found(proof: Proof) -> None:
    damage(proof.folder, silent)
    proof.language = "ru"
    assert proof.hear() == 1
    assert {each["language"] for each in proof.findings()} == {"ru"}


def test_a_second_run_hears_only_what_is_new(proof: Proof) -> None:
    assert proof.hear() == 0
    assert proof.hear() == 0
    assert proof.recognizers[1].heard == []
    damage(proof.folder, silent)
    assert proof.hear() == 1
    first, _, third = (len(each.heard) for each in proof.recognizers)
    assert 0 < third < first + 2


@pytest.mark.parametrize(
    ("options", "share"), [({"only": "2"}, 0.5), ({"sample": "20%"}, 0.2), ({"only": "1/2"}, 0.2)]
)
def test_only_a_part_is_heard(proof: Proof, options: dict[str, str], share: float) -> None:
    assert proof.hear(**options) == 0
    part = len(proof.recognizers[0].heard)
    assert proof.hear() == 0
    rest = len(proof.recognizers[1].heard)
    assert part == pytest.approx(share * (part + rest), abs=1.5)
    assert part


def test_the_page_shows_what_was_heard(proof: Proof) -> None:
    damage(proof.folder, silent)
    assert proof.hear() == 1
    at = proof.at
    wanted = page(
        at.here(), proof.folder, out=None, cache=at.folder / "cache", inline_audio=False, epub=False
    )
    assert at.run(wanted) == 0
    assert "heard: “" in at.written()[0].read_text("utf-8")


@pytest.mark.parametrize("text", ["0%", "many", "120%", "-5%"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(UserError, match="is not a share"):
        parse_share(text)


TEXT = "The boat came in late that evening and nobody on the pier had a lantern or a rope to spare."
GAP = "nobody on the pier had a lantern "


@dataclass
class Forgetful:
    """Hears one text at first, and another with more care."""

    first: str
    careful: str
    name: str = "forgetful"
    workers: int = 1

    def transcribe(self, samples: NDArray[np.float32], language: str) -> str:
        return self.first

    def transcribe_carefully(
        self, samples: NDArray[np.float32], language: str
    ) -> tuple[HeardWord, ...]:
        return tuple(HeardWord(word, at, at + 1) for at, word in enumerate(self.careful.split()))

    def detect_language(self, samples: NDArray[np.float32]) -> SpokenLanguage | None:
        return None

    def check_language(self, language: str) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("first", "careful", "found"),
    [
        (TEXT, "", []),  # heard right at once: that is enough
        (TEXT.replace(GAP, ""), TEXT, []),
        (TEXT.replace(GAP, ""), TEXT.replace(GAP, ""), [("missing", True)]),
        (TEXT.replace(GAP, ""), TEXT.replace(GAP[-18:], ""), [("missing", False)]),
        (TEXT.replace(GAP, GAP + GAP), TEXT, [("repeated", False)]),
        (TEXT.replace("came in late that ", ""), TEXT.replace(GAP, ""), []),
    ],
)
def test_more_care_decides(first: str, careful: str, found: list[tuple[str, bool]]) -> None:
    differences, _ = judge_samples(
        np.zeros(16_000, np.float32), TEXT, "en", Forgetful(first, careful)
    )
    assert [(each.kind, each.is_error) for each in differences] == found
