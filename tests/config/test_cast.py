"""cast.toml: what it says, where it is looked for, and mistakes with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tts_book.config.cast import Cast, load_casts
from tts_book.errors import UserError
from tts_book.pipeline.casting import add_voices

WHOLE = """
narrator = "dmitry"
male = "ostap"
female = "svetlana"
tags = "speaker"

[speakers."Раскольников"]
voice = "ruslan"
names = ["Родя", "Родион"]
gender = "male"

[chapters]
"3-5" = "svetlana"
"""


def load(folder: Path, text: str) -> Cast:
    (folder / "cast.toml").write_text(text, "utf-8")
    (cast,) = load_casts(None, [folder], folder / "config")
    return cast


def test_a_whole_cast(tmp_path: Path) -> None:
    cast = load(tmp_path, WHOLE)
    assert cast.aliases == dict.fromkeys(("раскольников", "родя", "родион"), "Раскольников")
    assert cast.role_of("Раскольников", "") == "Раскольников"
    assert (cast.role_of("Соня", "female"), cast.role_of("", "")) == ("female", "")
    assert (cast.voice_of("female"), cast.voice_of("Раскольников")) == ("svetlana", "ruslan")
    assert [cast.narrator_of(number) for number in (2, 3, 5, 6)] == [
        "dmitry",
        "svetlana",
        "svetlana",
        "dmitry",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('narator = "a"', r'cast.toml:1: unknown key "narator". Did you mean "narrator"?'),
        ('tags = "both"', "cast.toml:1: tags"),
        ('\n[speakers.A]\nnames = ["B"]', "cast.toml:2: .*has no voice"),
        ('[speakers.A]\nvoice = "x"\nsex = "male"', 'cast.toml:3: unknown key "sex"'),
        ('[chapters]\n"five" = "x"', "cast.toml:2: .*names no chapters"),
        ('[chapters]\n"5" = 7', "cast.toml:2: chapters.5 must be a voice, not 7"),
        ("narrator = ", "cast.toml:1: "),
        ("speakers = 3", "cast.toml:1: speakers must be a table"),
        ('[speakers]\nA = "x"', "cast.toml:2: speakers.A must be a table"),
        ('[speakers.""]\nvoice = "x"', "cast.toml:1: .*can be seen"),
        ('[speakers."a\\nb"]\nvoice = "x"', "cast.toml:1: .*can be seen"),
        ('narrator = "\\u001b[2J"', "cast.toml:1: narrator must be .*can be seen"),
        ('[speakers.A]\nvoice = "x"\nnames = [3]', "cast.toml:3: .*not 3"),
        ('[speakers.A]\nvoice = "x"\nnames = ["\\u202e"]', "cast.toml:3: .*can be seen"),
        ('[speakers.Male]\nvoice = "x"', 'cast.toml:1: "Male" is a role, not a speaker'),
        (
            '[speakers.A]\nvoice = "x"\nnames = ["C"]\n[speakers.B]\nvoice = "x"\nnames = ["c"]',
            'cast.toml:4: "c" is a name of "A", too',
        ),
        ('[chapters]\n"5-3" = "x"', 'cast.toml:2: "5-3" names no chapters'),
        ('[chapters]\n"0" = "x"', 'cast.toml:2: "0" names no chapters'),
        ('[chapters]\n"1-4" = "x"\n"2" = "y"', 'cast.toml:3: "2" and "1-4" share chapters'),
        ("[[[[", "cast.toml:1: "),
    ],
)
def test_mistakes_have_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        load(tmp_path, text)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("about", "found"),
    [({"series": "Discworld"}, True), ({"series": "discworld"}, True), ({}, False)],
)
def test_the_config_folder_keeps_the_cast_of_a_series(
    tmp_path: Path, about: dict[str, str], found: bool
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "cast.toml").write_text('series = "Discworld"\nnarrator = "ryan"\n', "utf-8")
    (cast,) = load_casts(None, [tmp_path], config)
    assert cast.is_for(about.get("series", ""), "") == found


def test_the_cast_beside_a_book_is_for_it_whatever_it_names(tmp_path: Path) -> None:
    assert load(tmp_path, 'series = "Discworld"\nnarrator = "ryan"\n').is_for("", "")


def test_a_cast_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no cast"):
        load_casts(tmp_path / "none.toml", [], tmp_path)


def test_voices_on_the_command_line(tmp_path: Path) -> None:
    cast = add_voices(load(tmp_path, WHOLE), "dialogue=ava, Родя=brian, Соня=emma")
    assert cast is not None
    assert cast.dialogue == "ava"
    assert cast.voice_of("Раскольников") == "brian"
    assert cast.voice_of("Соня") == "emma"
    assert add_voices(None, "") is None


@pytest.mark.parametrize("text", ["Соня", "=ava", "a=b=c"])
def test_what_names_no_voice(text: str) -> None:
    with pytest.raises(UserError, match="write NAME=VOICE"):
        add_voices(None, text)
