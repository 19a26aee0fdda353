"""Several voices in one book: every word once, in order, by the voice of its role."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tts_book
from tests import tones
from tests.cli.test_commands import Desk
from tests.fakes import ScriptedBackend
from tts_book.backends import VoiceInfo
from tts_book.cli.commands.plan import show_plan, show_speakers
from tts_book.cli.options import CommandOptions
from tts_book.errors import UserError
from tts_book.model import Speech, Voice

BOOK = """Глава 1

Шторм начался к вечеру, и лодки вернулись рано. Смотритель ждал у двери.

— Кто там? — спросил он громко. — Входите скорее!

— Это я, — сказала Вера.

— Одна?

— Одна. Дорога плохая, а лошадь устала.

Он закрыл дверь на засов и подбросил дров в печь.

Глава 2

Утром было тихо. «Неужели всё кончилось?» — подумала она.
"""
SPOKEN_BY = {
    "male": ["Кто там", "Входите скорее", "Одна?"],
    "female": ["Это я", "Дорога плохая", "Неужели всё кончилось"],
    "narrator": ["Шторм начался", "спросил он громко", "сказала Вера", "Утром было тихо"],
}
LEVELS = {"narrator": 0.4, "male": 0.1, "female": 0.2}


class CastBackend(ScriptedBackend):
    """Speaks tone words, each voice with a level of its own; knows who said what."""

    def __init__(self) -> None:
        offers = tuple(VoiceInfo("scripted", name, "ru") for name in LEVELS)
        super().__init__(offers=offers)
        self.said: list[tuple[str, str]] = []

    async def speak(self, text: str, voice: Voice) -> Speech:
        await super().speak(text, voice)
        self.said.append((voice.id, text))
        frames, marks = tones.speech(text, lead_ms=60, tail_ms=200, level=LEVELS[voice.id])
        return Speech(frames, "mp3", marks=marks)


CAST = 'narrator = "scripted:narrator"\nmale = "scripted:male"\nfemale = "scripted:female"\n'


def convert(at: Desk, backend: CastBackend, **options: Any) -> tts_book.Result:
    source = at.folder / "book.txt"
    given = {"output": at.folder / "out", "language": "ru", "split": "headings", **options}
    return tts_book.convert(source, backend=backend, surroundings=at.here(), **given)


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.write("book.txt", BOOK)
    desk.write("cast.toml", CAST)
    return desk


def test_every_role_by_its_voice(at: Desk) -> None:
    backend = CastBackend()
    result = convert(at, backend)
    assert not result.lost
    for voice, parts in SPOKEN_BY.items():
        mine = " ".join(text for id_, text in backend.said if id_ == voice)
        assert [part for part in parts if part not in mine] == []
    words = [code for path in result.written for code in _codes(path)]
    assert words == tones.codes(BOOK.replace("— ", ""))


def _codes(path: Path) -> list[str]:
    return [heard.code for heard in tones.read(tones.play(path))]


def test_all_voices_are_equally_loud(at: Desk) -> None:
    result = convert(at, CastBackend())
    sound = tones.play(result.written[0]).astype(float)
    peaks = []
    for word in tones.read(sound.astype("int16")):
        start = int((word.start_ms + 20) * tones.RATE_HZ / 1_000)
        peaks.append(abs(sound[start : start + 3_000]).max())
    assert max(peaks) / min(peaks) < 1.5  # 1.75 dB a step; apart they are 12 dB


def test_without_a_cast_nothing_changes(at: Desk) -> None:
    with_cast, without, off = CastBackend(), CastBackend(), CastBackend()
    convert(at, with_cast)
    apart = {"output": at.folder / "off", "cache": at.folder / "apart"}
    convert(at, off, cast="off", voice="scripted:narrator", **apart)
    (at.folder / "cast.toml").unlink()
    convert(at, without, voice="scripted:narrator", cache=at.folder / "other")
    assert {id_ for id_, _ in without.said} == {"narrator"}
    assert sorted(without.said) == sorted(off.said)
    assert len(without.said) < len(with_cast.said)


def test_nothing_is_spoken_twice_and_an_edit_speaks_little(at: Desk) -> None:
    first, second, third = CastBackend(), CastBackend(), CastBackend()
    convert(at, first)
    convert(at, second)
    assert second.said == []
    at.write("book.txt", BOOK.replace("лошадь устала", "лошадь хромает"))
    convert(at, third)
    assert [id_ for id_, _ in third.said] == ["female"]


def test_whole_replies_in_one_voice(at: Desk) -> None:
    at.write("cast.toml", CAST + 'tags = "speaker"\n')
    backend = CastBackend()
    convert(at, backend)
    assert any("спросил он громко" in text for id_, text in backend.said if id_ == "male")


def test_a_chapter_with_its_own_narrator(at: Desk) -> None:
    at.write("cast.toml", CAST + '[chapters]\n"2" = "scripted:female"\n')
    backend = CastBackend()
    convert(at, backend)
    assert any("Утром было тихо" in text for id_, text in backend.said if id_ == "female")


def test_a_speaker_by_name_on_the_command_line(at: Desk) -> None:
    backend = CastBackend()
    convert(at, backend, cast="off", voice="scripted:narrator", voice_for="Вера=scripted:female")
    hers = [text for id_, text in backend.said if id_ == "female"]
    assert [text for text in hers if "Это я" in text]
    assert not [text for text in hers if "Неужели" in text]


@pytest.mark.parametrize(
    ("cast", "options", "said"),
    [
        ('\ndialogue = "nobody"\n', {}, r'cast\.toml:2: There is no voice "nobody"'),
        ('[speakers.X]\nvoice = "nobody"\n', {}, r"cast\.toml:2: There is no voice"),
        ('[chapters]\n"7" = "nobody"\n', {}, r"cast\.toml:2: There is no voice"),
        ("", {"voice_for": "Вера=nobody"}, "--voice-for: There is no voice"),
    ],
)
def test_a_voice_that_is_not_there_is_one_line(
    at: Desk, cast: str, options: dict[str, str], said: str
) -> None:
    at.write("cast.toml", cast)
    with pytest.raises(UserError, match=said) as raised:
        convert(at, CastBackend(), **options)
    assert "\n" not in str(raised.value)


def test_the_manifest_knows_who_reads_what(at: Desk) -> None:
    result = convert(at, CastBackend())
    record = (result.written[0].parent / "tts-book.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in record.splitlines() if line.startswith('{"chapter"')]
    roles = {(c.get("role"), c.get("voice")) for line in lines for c in line["chapter"]["chunks"]}
    assert roles == {
        (None, None),
        ("male", "scripted:male"),
        ("female", "scripted:female"),
    }


def test_captions_name_who_speaks(at: Desk) -> None:
    convert(at, CastBackend(), captions="vtt")
    chapters = [file.read_text("utf-8") for file in sorted((at.folder / "out").rglob("*.vtt"))]
    assert "\nСмотритель ждал у двери." in chapters[0]
    assert "\n<v female>— Это я" in chapters[0]
    assert "\n<v female>«Неужели всё кончилось?»\n" in chapters[1]


MARKED = BOOK.replace("Смотритель ждал у двери.", "[voice:{}]Смотритель ждал у двери.[/voice]")


@pytest.mark.parametrize(
    ("name", "voice"),
    [
        ("female", "female"),
        ("Нина", "male"),
        ("нинка", "male"),
        ("scripted:female", "female"),
        ("narrator", "narrator"),
    ],
)
def test_a_mark_in_the_text_says_who_speaks(at: Desk, name: str, voice: str) -> None:
    nina = '[speakers."Нина"]\nvoice = "scripted:male"\nnames = ["Нинка"]\n'
    at.write("cast.toml", CAST + nina)
    at.write("book.txt", MARKED.format(name))
    backend = CastBackend()
    result = convert(at, backend, voice_marks=True)
    assert [id_ for id_, text in backend.said if "Смотритель ждал" in text] == [voice]
    words = [code for path in result.written for code in _codes(path)]
    assert words == tones.codes(BOOK.replace("— ", ""))


def test_marks_need_no_cast(at: Desk) -> None:
    (at.folder / "cast.toml").unlink()
    at.write("book.txt", MARKED.format("scripted:male"))
    backend = CastBackend()
    convert(at, backend, voice_marks=True, voice="scripted:narrator")
    assert [text for id_, text in backend.said if id_ == "male"] == ["Смотритель ждал у двери."]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Ольга", r'book\.txt:3:\d+: \[voice:Ольга\]: nobody is called "Ольга" in the cast'),
        ("dialogue", r"book\.txt:3:\d+: \[voice:dialogue\]: no voice is set for dialogue"),
    ],
)
def test_a_mark_that_names_nobody_is_one_line(at: Desk, name: str, said: str) -> None:
    at.write("book.txt", MARKED.format(name))
    with pytest.raises(UserError, match=said):
        convert(at, CastBackend(), voice_marks=True)


ALL = {"narrator", "male", "female"}


@pytest.mark.parametrize(
    ("cast", "spoken_by"),
    [
        (CAST, set()),
        (CAST.replace('"scripted:female"', '"scripted:male"'), {"male"}),
        (f'{CAST}tags = "speaker"\n', {"male", "female"}),
        (f'{CAST}[speakers."Вера"]\nvoice = "scripted:female"\n', set()),
        (f'{CAST}[speakers."Вера"]\nvoice = "scripted:male"\n', {"male"}),
    ],
)
def test_a_changed_cast_changes_a_finished_book(at: Desk, cast: str, spoken_by: set[str]) -> None:
    """Only what another voice reads now is spoken, and the files are those of a fresh run."""
    convert(at, CastBackend())
    at.write("cast.toml", cast)
    again, fresh = CastBackend(), CastBackend()
    changed = convert(at, again)
    assert {id_ for id_, _ in again.said} == spoken_by
    apart = convert(at, fresh, output=at.folder / "fresh", cache=at.folder / "apart")
    assert [p.read_bytes() for p in changed.written] == [p.read_bytes() for p in apart.written]
    assert len(again.said) < len(fresh.said)


@pytest.mark.parametrize(
    ("voices", "options", "spoken_by"),
    [
        ('dialogue = "scripted:male"', {}, {"narrator", "male"}),
        ('dialogue = "scripted:male"\nseries = "Storms"', {}, {"narrator"}),
        (
            'dialogue = "scripted:male"\nseries = "Storms"',
            {"series": "storms"},
            {"narrator", "male"},
        ),
        ('dialogue = "scripted:male"', {"cast": "off"}, {"narrator"}),
        ('[cast.chapters]\n"2" = "scripted:female"', {}, {"narrator", "female"}),
    ],
)
def test_the_cast_in_voices_toml_is_for_books_without_their_own(
    at: Desk, voices: str, options: dict[str, str], spoken_by: set[str]
) -> None:
    at.write("voices.toml", f'[cast]\nnarrator = "scripted:narrator"\n{voices}\n')
    own, without = CastBackend(), CastBackend()
    convert(at, own)
    assert {id_ for id_, _ in own.said} == ALL
    (at.folder / "cast.toml").unlink()
    apart = {"voice": "scripted:narrator", "cache": at.folder / "apart"}
    convert(at, without, **apart, **options)
    assert {id_ for id_, _ in without.said} == spoken_by


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[cast]\nnarator = "dmitry"', r'voices\.toml:2: unknown key "narator"'),
        ('[cast]\n\nmale = "nobody"', r'voices\.toml:3: There is no voice "nobody"'),
        ("[cast.speakers.A]\nvoice = 3", r"voices\.toml:2: cast\.speakers\.A\.voice must be text"),
        ('cast = "dmitry"', r"voices\.toml:1: cast must be a table, \[cast\]"),
    ],
)
def test_mistakes_in_the_cast_of_voices_toml(at: Desk, text: str, said: str) -> None:
    at.write("voices.toml", text)
    (at.folder / "cast.toml").unlink()
    with pytest.raises(UserError, match=said):
        convert(at, CastBackend())


REHEARSAL = CommandOptions(backend="silent", language="ru", split="headings")


def test_plan_shows_roles_and_what_they_cost(at: Desk) -> None:
    at.write("cast.toml", 'male = "dmitry"\nfemale = "svetlana"\n')
    source = [str(at.folder / "book.txt")]
    assert at.run(show_plan(at.here(), REHEARSAL, source, True)) == 0
    roles = {line.split("\t")[3] for line in at.out.getvalue().splitlines()}
    assert roles == {"narrator", "male", "female"}


def test_plan_lists_speakers_as_lines_of_a_cast(at: Desk) -> None:
    talk = "\n\n".join(f"— День {n}, — сказала Вера." for n in range(4))
    at.write("talk.txt", talk)
    (at.folder / "cast.toml").unlink()
    source = [str(at.folder / "talk.txt")]
    assert at.run(show_speakers(at.here(), REHEARSAL, source)) == 0
    shown = at.out.getvalue()
    assert '[speakers."Вера"]\nvoice = "' in shown
    assert "# 4 utterances, female" in shown
    assert shown.count("talk.txt:") == 2


@pytest.mark.parametrize(
    ("cast", "voice_for", "said"),
    [
        ('[speakers."Нина"]\nvoice = "svetlana"\n', "", "nothing is said by Нина: "),
        ("", "narator=dmitry", "nothing is said by narator: "),
        ('male = "backed"\n', "", "no fallback (ruslan): with a cast, a book waits"),
        ("", "", ""),
        ('narrator = "backed"\n', "", ""),
    ],
)
def test_what_a_cast_does_not_do_is_one_line(
    at: Desk, cast: str, voice_for: str, said: str
) -> None:
    backed = '[voices.backed]\nbackend = "silent"\nlanguage = "ru"\nfallback = ["ruslan"]\n'
    at.write("voices.toml", backed)
    at.write("cast.toml", cast)
    request = replace(REHEARSAL, voice_for=voice_for)
    assert at.convert(at.folder / "book.txt", request=request) == 0
    lines = [
        line
        for line in at.err.getvalue().splitlines()
        if line.startswith(("book: nothing", "book: no "))
    ]
    assert [said in line for line in lines] == ([True] if said else [])
