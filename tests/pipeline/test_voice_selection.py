"""Who speaks a book: the one that is named, the one that began it, else the first that can."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import ScriptedBackend
from tts_book.backends import Backend, Health, VoiceInfo
from tts_book.config.cast import Cast, Speaker
from tts_book.config.voices import Config
from tts_book.errors import UserError
from tts_book.model import Pauses, Voice
from tts_book.pipeline.voice_selection import (
    ChosenVoice,
    EngineGone,
    SpokenShare,
    VoiceChooser,
    VoiceRequest,
)

DMITRY = Voice("dmitry", "edge", "ru-RU-DmitryNeural", "ru-RU", rate_pct=-5)
RUSLAN = Voice("ruslan", "piper", "ru_RU-ruslan-medium", "ru-RU")
JOE = Voice("joe", "piper", "en_US-joe-medium", "en-US")
CONFIG = Config(
    Path("voices.toml"),
    "dmitry",
    {voice.name: voice for voice in (DMITRY, RUSLAN, JOE)},
    {"ru": ("dmitry", "ruslan"), "en": ("joe",)},
    Pauses(),
)
GONE = Health(False, "the online service does not answer", "Go online.")
HERE = VoiceInfo("piper", "ru_RU-ruslan-medium", "ru-RU")
JOE_HERE = VoiceInfo("piper", "en_US-joe-medium", "en-US")
BRIAN = "en-US-BrianMultilingualNeural"
ONLINE = ("ru-RU-DmitryNeural", "ru-RU-SvetlanaNeural", BRIAN)
NOTHING = SpokenShare(0, whole=False)


class Stage:
    """Backends by name, as the cast asks for them."""

    def __init__(self, *, online: bool = True, local: tuple[VoiceInfo, ...] = (HERE,)) -> None:
        listed = tuple(VoiceInfo("edge", name, "ru-RU") for name in ONLINE)
        self.edge = ScriptedBackend(name="edge", offers=listed, health=None if online else GONE)
        self.piper = ScriptedBackend(
            name="piper", offers=local, health=None if local else Health(False, "no voices")
        )
        robot = VoiceInfo("espeak", "ru", "ru", only_named=True)
        self.espeak = ScriptedBackend(name="espeak", offers=(robot,))
        silence = VoiceInfo("silent", "silence", "und", only_named=True)
        self.silent = ScriptedBackend(name="silent", offers=(silence,))

    def __call__(self, name: str) -> Backend:
        backend: Backend | None = getattr(self, name, None)
        if backend is None:
            raise UserError(f'There is no backend "{name}".')
        return backend


def cast(
    stage: Stage,
    wish: VoiceRequest | None = None,
    language: str = "ru",
    spoken: dict[str, SpokenShare] | None = None,
) -> ChosenVoice:
    def count(voice: Voice, backend: Backend) -> SpokenShare:
        return (spoken or {}).get(voice.name, NOTHING)

    return asyncio.run(VoiceChooser(CONFIG, stage).cast(wish or VoiceRequest(), language, count))


@pytest.mark.parametrize(
    ("stage", "wish", "language", "name"),
    [
        (Stage(), VoiceRequest(), "ru", "dmitry"),
        (Stage(online=False), VoiceRequest(), "ru", "ruslan"),
        (Stage(), VoiceRequest(backend="piper"), "ru", "ruslan"),
        (Stage(), VoiceRequest(voice="ruslan"), "ru", "ruslan"),
        (Stage(), VoiceRequest(voice="ru-RU-SvetlanaNeural"), "ru", "ru-RU-SvetlanaNeural"),
        (Stage(), VoiceRequest(voice=BRIAN), "ru", BRIAN),
        (Stage(local=(JOE_HERE,)), VoiceRequest(), "en", "joe"),
        (Stage(), VoiceRequest(backend="silent"), "en", "silence"),
        (Stage(online=False, local=()), VoiceRequest(backend="espeak"), "ru", "ru"),
        (Stage(), VoiceRequest(backend="edge"), "ru", "dmitry"),
        (
            Stage(local=(VoiceInfo("piper", "de_DE-thorsten-high", "de-DE", note="high"),)),
            VoiceRequest(),
            "de",
            "de_DE-thorsten-high",
        ),
    ],
)
def test_who_speaks(stage: Stage, wish: VoiceRequest, language: str, name: str) -> None:
    assert cast(stage, wish, language).voice.name == name


@pytest.mark.parametrize(
    ("stage", "wish", "language", "told"),
    [
        (Stage(online=False, local=()), VoiceRequest(), "ru", "voices install ru_RU-ruslan-medium"),
        (Stage(online=False, local=(JOE_HERE,)), VoiceRequest(), "ru", "voices install"),
        (Stage(online=False), VoiceRequest(), "xx", "--backend espeak"),
        (Stage(), VoiceRequest(voice="nobody"), "ru", "nobody"),
        (
            Stage(),
            VoiceRequest(voice="ru-RU-DmitriNeural"),
            "ru",
            "Did you mean ru-RU-DmitryNeural",
        ),
        (Stage(), VoiceRequest(voice="joe"), "ru", "--language en"),
        (Stage(), VoiceRequest(voice="joe", backend="edge"), "en", "belongs to the backend piper"),
        (Stage(), VoiceRequest(backend="festival"), "ru", "festival"),
        (Stage(online=False), VoiceRequest(voice="dmitry"), "ru", "Go online"),
        (Stage(), VoiceRequest(backend="piper"), "de", "No voice here can speak German"),
        (Stage(), VoiceRequest(backend="espeak"), "xx", "leave --backend out"),
    ],
)
def test_what_the_user_is_told(stage: Stage, wish: VoiceRequest, language: str, told: str) -> None:
    with pytest.raises((UserError, EngineGone), match=told):
        cast(stage, wish, language)


def test_a_voice_that_the_service_has_given_up_is_passed_over() -> None:
    stage = Stage()
    stage.edge = ScriptedBackend(name="edge", offers=(VoiceInfo("edge", BRIAN, "en-US"),))
    assert cast(stage).voice.name == "ruslan"


def test_a_slip_in_an_id_is_reported_and_an_id_of_another_kind_is_taken_at_its_word() -> None:
    with pytest.raises(UserError, match="Did you mean ru-RU-DmitryNeural"):
        cast(Stage(), VoiceRequest(voice="ru-RU-DmitriNeural"))
    assert (
        cast(Stage(), VoiceRequest(voice="ru-RU-QuiteAnotherNeural")).voice.id
        == "ru-RU-QuiteAnotherNeural"
    )


def test_a_service_that_lists_no_voice_of_ours_is_asked_all_the_same() -> None:
    stage = Stage(local=())
    stage.edge = ScriptedBackend(name="edge", offers=(VoiceInfo("edge", BRIAN, "en-US"),))
    assert cast(stage).voice.name == "dmitry"


def test_a_service_that_lists_nothing_is_taken_at_its_word() -> None:
    stage = Stage()
    stage.edge = ScriptedBackend(name="edge")
    assert cast(stage).voice.name == "dmitry"


def test_a_robot_is_never_taken_unasked() -> None:
    with pytest.raises(EngineGone):
        cast(Stage(online=False, local=()), VoiceRequest(), "ru")


def test_a_half_spoken_book_stays_with_the_voice_that_began_it() -> None:
    begun = {"ruslan": SpokenShare(3, whole=False)}
    assert cast(Stage(), spoken=begun).voice.name == "ruslan"


def test_a_book_begun_by_a_stand_in_says_how_to_get_the_usual_voice_when_that_is_back() -> None:
    begun = {"ruslan": SpokenShare(3, whole=False, chunks=12, of=40)}
    back = cast(Stage(), spoken=begun)
    assert back.voice.name == "ruslan"
    assert "this voice has begun the book, 12 of 40 chunks" in back.why
    assert "dmitry, can be reached again" in back.why
    assert "add --voice dmitry" in back.why
    assert cast(Stage(online=False), spoken=begun).why.endswith("12 of 40 chunks")
    usual = {"dmitry": SpokenShare(3, whole=False, chunks=12, of=40)}
    assert cast(Stage(), spoken=usual).why.endswith("12 of 40 chunks")


@pytest.mark.parametrize("wish", [VoiceRequest(), VoiceRequest(voice="dmitry")])
def test_a_network_that_is_away_is_no_mistake_of_the_user(wish: VoiceRequest) -> None:
    with pytest.raises(EngineGone, match="does not answer"):
        cast(Stage(online=False, local=()), wish)


def test_a_half_spoken_book_waits_for_its_engine() -> None:
    with pytest.raises(EngineGone, match="half spoken by dmitry"):
        cast(Stage(online=False), spoken={"dmitry": SpokenShare(3, whole=False)})


@pytest.mark.parametrize("wish", [VoiceRequest(), VoiceRequest(voice="dmitry")])
@pytest.mark.parametrize("telling", [0, 3])
def test_who_waits_begins_and_goes_on_without_an_answer(wish: VoiceRequest, telling: int) -> None:
    stage = Stage(online=False, local=())
    begun = {"dmitry": SpokenShare(telling, whole=False)}
    chosen = cast(stage, replace(wish, wait=True), spoken=begun)
    assert chosen.voice.name == "dmitry"
    assert "speaks once the service answers" in chosen.why


def test_a_named_voice_that_has_begun_and_is_gone_is_no_mistake_of_the_user() -> None:
    with pytest.raises(EngineGone):
        begun = {"dmitry": SpokenShare(3, whole=False)}
        cast(Stage(online=False), VoiceRequest(voice="dmitry"), spoken=begun)


def test_a_book_that_is_all_there_needs_no_engine() -> None:
    whole = {"dmitry": SpokenShare(9, whole=True)}
    assert cast(Stage(online=False), spoken=whole).voice.name == "dmitry"
    assert (
        cast(Stage(online=False), VoiceRequest(voice="dmitry"), spoken=whole).voice.name == "dmitry"
    )


def test_the_user_may_start_over_with_another_voice() -> None:
    begun = {"dmitry": SpokenShare(3, whole=False)}
    assert (
        cast(Stage(online=False), VoiceRequest(voice="ruslan"), spoken=begun).voice.name == "ruslan"
    )


def test_changes_that_were_asked_for_go_before_those_of_the_file() -> None:
    assert cast(Stage()).voice == DMITRY
    changed = cast(Stage(), VoiceRequest(rate_pct=10, pitch_hz=0)).voice
    assert changed == replace(DMITRY, rate_pct=10)


def test_a_book_is_counted_in_a_thread_so_that_the_loop_goes_on() -> None:
    threads: list[threading.Thread] = []

    def count(voice: Voice, backend: Backend) -> SpokenShare:
        threads.append(threading.current_thread())
        return NOTHING

    asyncio.run(VoiceChooser(CONFIG, Stage()).cast(VoiceRequest(), "ru", count))
    assert threads
    assert threading.main_thread() not in threads


@pytest.mark.parametrize(
    ("role", "other_language", "voice"),
    [
        ("", "", "dmitry"),
        ("dialogue", "", "ruslan"),
        ("dialogue", "ru", "ruslan"),
        ("dialogue", "de", ""),
        ("", "de", ""),
        ("Anna", "de", BRIAN),
    ],
)
def test_a_cast_reads_other_languages_only_where_its_voices_speak_them(
    role: str, other_language: str, voice: str
) -> None:
    roles = Cast(narrator="dmitry", dialogue="ruslan", speakers={"Anna": Speaker(BRIAN)})
    chooser = VoiceChooser(CONFIG, Stage())
    assert chooser.request_for(VoiceRequest(), roles, role, other_language).voice == voice
