"""Lists of voices: a screenful, the user's own and the usable ones first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tts_book.backends import Health, VoiceInfo
from tts_book.cli.voice_list import (
    MOST_LINES,
    VoiceFilter,
    find_user_languages,
    list_voices,
)
from tts_book.config.voices import Config, load_voices

OFFERED = [
    *(VoiceInfo("edge", f"en-US-Nobody{number}Neural", "en-US", "female") for number in range(40)),
    VoiceInfo("edge", "ru-RU-DmitryNeural", "ru-RU", "male"),
    VoiceInfo("edge", "en-US-ChristopherNeural", "en-US", "male"),
    VoiceInfo("piper", "en_US-joe-medium", "en-US"),
    VoiceInfo("espeak", "ru", "ru", note="robotic"),
]
AWAY = {"edge": Health(False, "not reached")}
OWN = """default = "mine"
[voices.mine]
backend = "edge"
id = "de-DE-ConradNeural"
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "voices.toml").write_text(OWN)
    return load_voices(None, cwd=tmp_path, config_dir=tmp_path)


def lines(config: Config, wanted: VoiceFilter, *, online: bool = True) -> list[str]:
    offered = [info for info in OFFERED if online or info.backend != "edge"]
    return list(list_voices(config, offered, {} if online else AWAY, wanted))


@pytest.mark.parametrize(
    "wanted",
    [
        VoiceFilter(own_languages=("ru", "en")),
        VoiceFilter("en"),
        VoiceFilter(backend="edge"),
        VoiceFilter("ru"),
    ],
)
@pytest.mark.parametrize("online", [True, False])
def test_a_list_fits_on_a_screen(config: Config, wanted: VoiceFilter, online: bool) -> None:
    found = lines(config, wanted, online=online)
    assert len(found) < 24
    assert max(map(len, found[1:])) <= 100


def test_usable_names_come_first_and_the_default_is_marked(config: Config) -> None:
    found = lines(config, VoiceFilter(own_languages=("ru", "en")))
    assert found[1].startswith("  mine ") or found[1].startswith("* dmitry ")
    usable = ["  (" not in line for line in found[1:-3]]
    assert usable == sorted(usable, reverse=True)
    marked = {line.split()[1] for line in found if line.startswith("* ")}
    assert marked == {"dmitry", "christopher"}
    away = lines(config, VoiceFilter(own_languages=("ru", "en")), online=False)
    assert {line.split()[1] for line in away if line.startswith("* ")} == {"joe"}
    assert any("dmitry" in line and "(not reached)" in line for line in away)
    assert any("ruslan" in line and line.endswith("(not installed)") for line in away)
    assert "not installed: tts-book voices install ID" in away


def test_the_users_own_names_are_there_whatever_their_language(config: Config) -> None:
    assert any(" mine " in line for line in lines(config, VoiceFilter(own_languages=("ru",))))


def test_more_is_one_option_away(config: Config) -> None:
    assert lines(config, VoiceFilter(own_languages=("ru",)))[-2].startswith("more: ")
    short = lines(config, VoiceFilter(backend="edge", language="en"))
    assert short[-1].startswith("and ")
    assert "more voices: --all" in short[-1]
    everything = lines(config, VoiceFilter(everything=True))
    assert len(everything) > len(OFFERED) + MOST_LINES
    assert "more" not in everything[-1]


@pytest.mark.parametrize(
    ("environ", "system", "languages"),
    [
        ({"LANG": "ru_RU.UTF-8"}, "", ("ru", "en")),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "de_DE"}, "", ("de", "en")),
        ({"LANG": "C.UTF-8"}, "", ("en",)),
        ({}, "Russian_Russia", ("ru", "en")),
        ({}, "", ("en",)),
        ({"LANG": "sr_RS@latin"}, "", ("sr", "en")),
    ],
)
def test_the_languages_of_a_user(
    environ: dict[str, str], system: str, languages: tuple[str, ...]
) -> None:
    assert find_user_languages(environ, system) == languages
