"""voices.toml: what it gives, how the user's file is laid over the packaged one, and how
mistakes are told."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book import backends
from tts_book.config.toml_file import MOST_MISTAKES, parse_toml
from tts_book.config.voices import (
    BACKENDS,
    Config,
    can_speak,
    load_voices,
    packaged_path,
    parse_change,
)
from tts_book.errors import UserError
from tts_book.model import Pauses, SpeechServer, Voice
from tts_book.text.language_tags import language_of, normalize_tag


def of(tmp_path: Path, text: str | bytes) -> Config:
    data = text.encode() if isinstance(text, str) else text
    (tmp_path / "voices.toml").write_bytes(data)
    return load_voices(None, cwd=tmp_path, config_dir=tmp_path / "none")


def mistakes_in(tmp_path: Path, text: str | bytes) -> list[str]:
    with pytest.raises(UserError) as caught:
        of(tmp_path, text)
    return str(caught.value).split("\n")


@pytest.fixture
def packaged(tmp_path: Path) -> Config:
    return load_voices(None, cwd=tmp_path, config_dir=tmp_path)


# --- the packaged file ---


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("backend", ["edge", "piper"])
def test_a_male_and_a_female_voice_for_russian_and_english(
    packaged: Config, language: str, backend: str
) -> None:
    found = [v for v in packaged.candidates(language) if v.backend == backend]
    assert {voice.gender for voice in found} == {"male", "female"}


@pytest.mark.parametrize(
    ("language", "first"),
    [
        ("ru", ["dmitry", "ruslan", "svetlana", "irina"]),
        ("ru-RU", ["dmitry", "ruslan"]),
        ("en", ["christopher", "joe", "ava"]),
        ("en_us", ["christopher", "joe", "ava"]),
        ("en-GB", ["ryan", "christopher", "joe", "sonia"]),
        ("pt-PT", ["duarte", "antonio"]),
        ("pt", ["antonio", "faber"]),
        ("zh-Hant-TW", ["yunjian"]),
        ("no", ["finn", "pernille"]),
        ("kk", ["daulet", "aigul"]),
        ("tlh", []),
    ],
)
def test_candidates_come_in_order_of_preference(
    packaged: Config, language: str, first: list[str]
) -> None:
    found = [voice.name for voice in packaged.candidates(language)]
    assert found[: len(first)] == first
    assert bool(found) == bool(first)
    assert len(found) == len(set(found))


def test_no_robot_and_no_silence_unasked(packaged: Config) -> None:
    languages = {voice.language for voice in packaged.voices.values() if voice.language}
    found = {voice.backend for tag in languages for voice in packaged.candidates(tag)}
    assert found == {"edge", "piper"}


def test_every_packaged_voice_has_its_language_and_the_usual_pauses(packaged: Config) -> None:
    assert packaged.path == packaged_path()
    assert packaged.pauses == Pauses()
    assert [v.name for v in packaged.voices.values() if not v.language] == ["silent"]
    assert all(v.gender for v in packaged.voices.values() if v.backend in ("edge", "piper"))


def test_the_known_backends_are_the_built_in_ones() -> None:
    assert set(BACKENDS) == set(backends.BUILT_IN)


def test_the_line_of_every_packaged_key_is_found() -> None:
    text = packaged_path().read_text("utf-8")
    found, rows = parse_toml(text.encode()), text.split("\n")
    for name in tomllib.loads(text)["voices"]:
        assert name in rows[found.line_of(("voices", name)) - 1]


# --- which file, and how it is laid over the packaged one ---


def test_the_named_file_goes_before_the_folder_s_and_that_before_the_user_s(
    tmp_path: Path,
) -> None:
    cwd, home = tmp_path / "cwd", tmp_path / "home"
    named = tmp_path / "mine.toml"
    for folder, voice in ((cwd, "svetlana"), (home, "irina")):
        folder.mkdir()
        (folder / "voices.toml").write_text(f'default = "{voice}"')
    named.write_text('default = "ruslan"')
    assert load_voices(named, cwd=cwd, config_dir=home).default == "ruslan"
    assert load_voices(None, cwd=cwd, config_dir=home).default == "svetlana"
    (cwd / "voices.toml").unlink()
    found = load_voices(None, cwd=cwd, config_dir=home)
    assert (found.default, found.path) == ("irina", home / "voices.toml")


def test_a_named_file_that_is_missing_or_a_folder_is_mistakes_in(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "no.toml", "no voices file no.toml"), (tmp_path, "a folder")):
        with pytest.raises(UserError, match=words):
            load_voices(path, cwd=tmp_path, config_dir=tmp_path)


def test_a_user_s_voice_is_added_and_packaged_ones_stay(tmp_path: Path) -> None:
    config = of(
        tmp_path,
        """
        [voices."мой"]
        backend = "edge"
        id = "ru-RU-DmitryNeural"
        rate = "−10%"
        pitch = "+4 Hz"
        volume = 7
        fallback = "ruslan"
        """,
    )
    assert config.voice("МОЙ") == Voice(
        "мой", "edge", "ru-RU-DmitryNeural", "ru-RU", -10, 4, 7, ("ruslan",)
    )
    assert config.voice("svetlana").id == "ru-RU-SvetlanaNeural"
    assert [v.name for v in config.candidates("ru")][:3] == ["dmitry", "ruslan", "мой"]


def test_without_backend_and_id_a_voice_changes_only_what_it_says(tmp_path: Path) -> None:
    voice = of(tmp_path, "[voices.dmitry]\nrate = 20").voice("dmitry")
    assert (voice.id, voice.rate_pct, voice.pitch_hz) == ("ru-RU-DmitryNeural", 20, -8)


def test_with_an_id_it_replaces_the_packaged_one(tmp_path: Path) -> None:
    text = '[voices.dmitry]\nbackend = "piper"\nid = "ru_RU-denis-medium"'
    assert of(tmp_path, text).voice("dmitry") == Voice(
        "dmitry", "piper", "ru_RU-denis-medium", "ru-RU"
    )


def test_pauses_change_one_by_one(tmp_path: Path) -> None:
    config = of(tmp_path, "pauses.scene = 2500")
    assert config.pauses == Pauses(scene_ms=2_500)


@pytest.mark.parametrize(
    ("text", "language", "first"),
    [
        ('default = "svetlana"', "ru", ["svetlana", "dmitry", "ruslan"]),
        ('default = "svetlana"', "en", ["christopher", "joe"]),
        ('default = "ava"', "en-GB", ["ava", "ryan"]),
        ('default = "dmitry"\n[languages]\nru = "svetlana"', "ru", ["svetlana", "dmitry"]),
        ('[languages]\nen = "joe"', "en-GB", ["joe", "ryan"]),
        ('[languages]\nRU_ru = "irina"', "ru-RU", ["irina", "dmitry"]),
        ('default = "robot-ru"', "ru", ["robot-ru", "dmitry"]),
        ('default = "silent"', "tlh", ["silent"]),
        ('default = "silent"', "ru", ["silent", "dmitry"]),
        (
            'default = "x"\nvoices.x = {backend = "edge", id = "en-US-AvaMultilingualNeural"}',
            "ru",
            ["x", "dmitry"],
        ),
        (
            'default = "x"\n[voices.x]\nbackend = "edge"\nid = "en-US-AvaMultilingualNeural"\n'
            'language = "en-US"',
            "ru",
            ["dmitry", "ruslan", "x"],
        ),
    ],
)
def test_what_the_user_says_goes_first(
    tmp_path: Path, text: str, language: str, first: list[str]
) -> None:
    found = [voice.name for voice in of(tmp_path, text).candidates(language)]
    assert found[: len(first)] == first


# --- --voice ---


@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("Joe", Voice("joe", "piper", "en_US-joe-medium", "en-US", gender="male")),
        ("ru-RU-DmitryNeural", Voice("ru-RU-DmitryNeural", "edge", "ru-RU-DmitryNeural", "ru-RU")),
        (
            "zh-CN-liaoning-XiaobeiNeural",
            Voice("zh-CN-liaoning-XiaobeiNeural", "edge", "zh-CN-liaoning-XiaobeiNeural",
                  "zh-CN-liaoning"),
        ),
        ("pt_PT-tugão-medium", Voice("pt_PT-tugão-medium", "piper", "pt_PT-tugão-medium", "pt-PT")),
        (
            "en-US-AvaMultilingualNeural",
            Voice("en-US-AvaMultilingualNeural", "edge", "en-US-AvaMultilingualNeural", ""),
        ),
        ("espeak:ru", Voice("espeak:ru", "espeak", "ru", "ru")),
        ("silent:x", Voice("silent:x", "silent", "x", "")),
        ("piper:mine", Voice("piper:mine", "piper", "mine", "")),
        ("edge:xx-YY-NewNeural", Voice("edge:xx-YY-NewNeural", "edge", "xx-YY-NewNeural", "xx-YY")),
    ],
)  # fmt: skip
def test_a_voice_is_a_name_or_an_id(packaged: Config, text: str, voice: Voice) -> None:
    assert packaged.resolve(text) == voice


def test_with_its_backend_a_bare_id_is_enough(packaged: Config) -> None:
    assert packaged.resolve("ru", "espeak") == Voice("ru", "espeak", "ru", "ru")
    assert packaged.resolve("mine", "piper").id == "mine"
    assert packaged.resolve("joe", "espeak").backend == "piper"
    for backend in ("edge", "silent", "auto", ""):
        with pytest.raises(UserError, match="Did you mean"):
            packaged.resolve("dmitri", backend)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dmitri", 'There is no voice "dmitri". Did you mean "dmitry"?'),
        ("zzzzzz", 'There is no voice "zzzzzz". All voices: tts-book voices'),
        ("egde:ru-RU-DmitryNeural", 'There is no backend "egde", as in'),
        ("ru", 'There is no voice "ru"'),
        ("egde:x", 'Did you mean "edge"?'),
        ("edge:", 'There is no voice "edge:"'),
        ("C:\\voices\\a.onnx", "There is no voice"),
        ("", "There is no voice"),
    ],
)
def test_an_unknown_voice_is_reported_with_a_like_one(
    packaged: Config, text: str, words: str
) -> None:
    with pytest.raises(UserError) as caught:
        packaged.resolve(text)
    assert words in str(caught.value)


SERVED = """
[voices.mine]
backend = "openai"
url = "https://orr:secret-1@nas.example:8443/tts/v1/"
id = "af_heart"
model = "kokoro"
format = "flac"
instructions = "calm"
key_env = "SPEECH_KEY"
extra = { b = 1, a = ["x"] }
"""


def test_a_voice_may_name_a_server(tmp_path: Path) -> None:
    voice = of(tmp_path, SERVED).voice("mine")
    assert voice.server == SpeechServer(
        url="https://nas.example:8443/tts",
        name="https://nas.example:8443/tts",
        model="kokoro",
        format="flac",
        instructions="calm",
        key_env="SPEECH_KEY",
        extra='{"a": ["x"], "b": 1}',
        login="orr:secret-1",
    )
    assert "secret-1" not in f"{voice!r} {voice.as_record()}"
    named = of(tmp_path, SERVED + 'server = "nas"').voice("mine")
    assert named.server is not None
    assert named.server.name == "nas"


def test_an_id_of_the_server_needs_no_name(tmp_path: Path) -> None:
    config = of(tmp_path, SERVED)
    assert config.resolve("openai:bm_lewis").server == config.voice("mine").server
    with pytest.raises(UserError, match=r"No voice in .* names a server"):
        of(tmp_path, "").resolve("openai:bm_lewis")


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ('url = "localhost:8880"', "voices.x.url must be an address like"),
        ('url = "http://h/?key=1"', "voices.x.url must be an address like"),
        ('key_env = "sk-abc"', "voices.x.key_env must be the name of an environment variable"),
        ('format = "pcm"', '"pcm" is neither "wav", "flac", "mp3", "opus" nor "aac"'),
        ("extra = 5", "voices.x.extra must be a table"),
        ("extra = { a = 2020-01-01 }", "voices.x.extra may hold texts, numbers"),
        ('speaker = "y"', 'unknown key "speaker" in [voices.x].'),
    ],
)
def test_mistakes_in_a_server_are_reported_without_its_secrets(
    tmp_path: Path, line: str, mistake: str
) -> None:
    text = f'[voices.x]\nbackend = "openai"\nid = "a"\n{line}'
    with pytest.raises(UserError) as caught:
        of(tmp_path, text if "url" in line else f'{text}\nurl = "http://h"')
    assert mistake in str(caught.value)
    assert "sk-abc" not in str(caught.value)


def test_a_voice_of_a_server_needs_its_url(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no url"):
        of(tmp_path, '[voices.x]\nbackend = "openai"\nid = "a"')


def test_keys_of_a_server_are_for_its_backend_only(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='unknown key "url"'):
        of(tmp_path, '[voices.x]\nbackend = "piper"\nid = "x"\nurl = "http://h"')


def test_a_plugged_in_backend_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "voices.toml").write_text('[voices.x]\nbackend = "parrot"\nid = "p"')
    config = load_voices(None, cwd=tmp_path, config_dir=tmp_path, backends=(*BACKENDS, "parrot"))
    assert config.voice("x").backend == "parrot"
    assert config.resolve("parrot:polly").id == "polly"


# --- mistakes ---

MISTAKES: list[tuple[str, list[str]]] = [
    ("edge = 5", ["1: edge must be a table, [edge], not 5."]),
    ('[edge]\nrelay = "wss://h/1"', ['2: unknown key "relay" in [edge]. Did you mean "url"?']),
    (
        '[edge]\nurl = "https://me:secret@h/edge/v1"\nproxy = "ftp://me:secret@h"',
        [
            "2: edge.url must be an address that begins with wss:// or ws://.",
            "3: edge.proxy must be an address that begins with http:// or https:// or socks5:// or "
            "socks5h:// or socks4:// or socks4a://.",
        ],
    ),
    ('defualt = "joe"', ['1: unknown key "defualt". Did you mean "default"?']),
    ('default = "dmitri"', ['1: default = "dmitri" is not a voice. Did you mean "dmitry"?']),
    ("default = 5", ["1: default must be text in quotes, not 5."]),
    ('default = " "', ["1: default must be text in quotes, not empty."]),
    (
        '[voice.x]\nbackend = "edge"',
        ['1: unknown table [voice]. Did you mean "voices"?'],
    ),
    (
        '[ivan]\nbackend = "edge"\nid = "ru-RU-DmitryNeural"',
        ['1: unknown table [ivan]. Did you mean "[voices.ivan]"?'],
    ),
    (
        '\n[voices.dmitry]\n\n# how\nvioce = "x"\nengine = "edge"\nrat = 5\nzzz = 1',
        [
            '5: unknown key "vioce" in [voices.dmitry]. Did you mean "id"?',
            '6: unknown key "engine" in [voices.dmitry]. Did you mean "backend"?',
            '7: unknown key "rat" in [voices.dmitry]. Did you mean "rate"?',
            '8: unknown key "zzz" in [voices.dmitry].',
        ],
    ),
    (
        "[voices.dmitry]\nrate = 1\ndefault = 'joe'",
        ['3: unknown key "default" in [voices.dmitry]. It belongs above the first [table].'],
    ),
    (
        '[voices.x]\nbackend = "egde"\nid = "a"',
        ['2: voices.x.backend = "egde" is not known. Did you mean "edge"?'],
    ),
    (
        '[voices.x]\nbackend = "quux"\nid = "a"',
        ['2: voices.x.backend = "quux" is not known. Known: edge, piper, openai, espeak, silent.'],
    ),
    (
        '[voices.x]\nid = "ru-RU-DmitryNeural"',
        ['1: voices.x has no backend: write backend = "edge".'],
    ),
    ("[voices.x]", ["1: voices.x has no backend."]),
    ('[voices.x]\nbackend = "piper"', ["1: voices.x has no id: what piper calls the voice."]),
    (
        '[voices.x]\nbackend = "edge"\nid = "Dmitry"',
        ['3: voices.x.id = "Dmitry" is not a voice of the online service: '
         'they look like "ru-RU-DmitryNeural".'],
    ),
    (
        '[voices]\nx = "edge"\ny = 2020-01-01',
        [
            '2: voices.x must be a table, not "edge".',
            "3: voices.y must be a table, not a date or time.",
        ],
    ),
    ("voices = []", ["1: voices must be a table, [voices.NAME], not a list."]),
    ("[[voices]]\nid = 'x'", ["1: voices must be a table, [voices.NAME], not a list."]),
    ("languages = 1", ["1: languages must be a table, [languages], not 1."]),
    (
        '[voices.dmitry]\nrate = "fast"\npitch = "-5%"\nvolume = 5.0\ngender = "mail"',
        [
            '2: voices.dmitry.rate must be a whole number or text like "-5%", not "fast".',
            '3: voices.dmitry.pitch must be a whole number or text like "-5Hz", not "-5%".',
            '4: voices.dmitry.volume must be a whole number or text like "-5%", not 5.0.',
            '5: voices.dmitry.gender = "mail" is neither "male" nor "female". '
            'Did you mean "male"?',
        ],
    ),
    (
        "[voices.dmitry]\nrate = 500\npitch = '-201Hz'\nvolume = true",
        [
            "2: voices.dmitry.rate must be between -90 and +200 %, not 500.",
            "3: voices.dmitry.pitch must be between -200 and +200 Hz, not -201.",
            '4: voices.dmitry.volume must be a whole number or text like "-5%", not true.',
        ],
    ),
    (
        '[voices.dmitry]\nfallback = [\n  "ruslan",\n  "ruslam", # oh\n  "joe",\n  7\n]',
        [
            '4: voices.dmitry.fallback names "ruslam", which is not a voice. '
            'Did you mean "ruslan"?',
            '5: voices.dmitry.fallback names "joe", which speaks en-US, not ru-RU.',
            "6: voices.dmitry.fallback must name voices in quotes, not 7.",
        ],
    ),
    (
        '[voices.dmitry]\nfallback = "svetlana"\n[voices.svetlana]\nfallback = ["dmitry"]',
        ["2: voices.dmitry.fallback is circular: dmitry -> svetlana -> dmitry."],
    ),
    (
        '[voices.dmitry]\nfallback = "dmitry"',
        ["2: voices.dmitry.fallback is circular: dmitry -> dmitry."],
    ),
    (
        '[languages]\nru = ["dmitry", "nobody"]\nen = "dmitry"\nrussian = "dmitry"\nRU = "irina"',
        [
            '2: languages.ru names "nobody", which is not a voice.',
            '3: languages.en names "dmitry", which speaks ru-RU, not en.',
            '4: "russian" in [languages] is not a language tag like "ru" or "pt-BR".',
            '5: "RU" in [languages] is there already, as ru.',
        ],
    ),
    (
        '[voices.dmitry]\nlanguage = "русский"',
        ['2: voices.dmitry.language = "русский" is not a language tag like "ru" or "pt-BR".'],
    ),
    (
        "[pauses]\nsentense = 1\nscene = -1\nchapter = '2 s'\nheading_ms = 5\nparagraph = 60001",
        [
            '2: unknown key "sentense" in [pauses]. Did you mean "sentence"?',
            "3: pauses.scene must be 0 to 60000 milliseconds, not -1.",
            '4: pauses.chapter must be whole milliseconds, like 600, not "2 s".',
            '5: unknown key "heading_ms" in [pauses]. Did you mean "heading"?',
            "6: pauses.paragraph must be 0 to 60000 milliseconds, not 60001.",
        ],
    ),
    # the lines are found however a table is written
    (
        'voices.dmitry.rate = 999\nvoices."svetlana".rate = 999\nvoices . "irina" . rate=999',
        [
            "1: voices.dmitry.rate must be between -90 and +200 %, not 999.",
            "2: voices.svetlana.rate must be between -90 and +200 %, not 999.",
            "3: voices.irina.rate must be between -90 and +200 %, not 999.",
        ],
    ),
    (
        '# """ no text\ndefault = """\njoe\\\n"""\n[voices]\n'
        'dmitry = { rate = 1, fallback = ["a]{",\n'
        '"b#"], gender = "\\"}" }',
        [
            '6: voices.dmitry.gender = ""}" is neither "male" nor "female".',
            '6: voices.dmitry.fallback names "a]{", which is not a voice.',
            '7: voices.dmitry.fallback names "b#", which is not a voice.',
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "mistakes"), MISTAKES)
def test_all_mistakes_are_reported_at_once_with_their_lines(
    tmp_path: Path, text: str, mistakes: list[str]
) -> None:
    assert mistakes_in(tmp_path, text) == [f"voices.toml:{mistake}" for mistake in mistakes]


def test_another_way_to_the_online_service(tmp_path: Path) -> None:
    lines = ("[edge]", 'url = "wss://me:secret@h/edge/v1"', 'proxy = "socks5h://127.0.0.1:1080"')
    (tmp_path / "voices.toml").write_text("\n".join(lines))
    config = load_voices(None, cwd=tmp_path, config_dir=tmp_path)
    assert config.edge == {
        "url": "wss://me:secret@h/edge/v1",
        "proxy": "socks5h://127.0.0.1:1080",
    }
    assert "secret" not in repr(config)


def test_a_password_does_not_show_in_a_mistake(tmp_path: Path) -> None:
    (mistake,) = mistakes_in(tmp_path, "[edge]\nproxy = http://me:secret@h:1/?key=hidden")
    assert "put the value in quotes" in mistake
    assert "secret" not in mistake
    assert "hidden" not in mistake


FAULTS: list[tuple[str, list[str]]] = [
    ("default = “joe”", ["1: use straight quotes, not curly ones: default = “joe”"]),
    ("default = «joe»", ["1: use straight quotes, not curly ones: default = «joe»"]),
    ("default = joe", ["1: put the value in quotes: default = joe"]),
    ("default: joe", ['1: write "=" between a key and its value: default: joe']),
    ('default = "joe', ['1: a closing quote is missing: default = "joe']),
    ('default = "joe",', ['1: nothing may follow the value: default = "joe",']),
    ("default =", ["1: default has no value."]),
    ("default", ['1: "default" is neither "key = value" nor a [table].']),
    ('default = "joe"\ndefault = "ava"', ["2: default is set a second time."]),
    (
        "[voices.дмитрий]",
        [
            "1: put a name with characters other than a-z, 0-9, - and _ in quotes: "
            "[voices.дмитрий]",
        ],
    ),
    (
        "[voices.dmitry]\nrate = -5%\n[pauses\nscene = 1_000",
        [
            "2: put the value in quotes: rate = -5%",
            "3: a ] is missing: [pauses",
        ],
    ),
    (
        'default = "C:\\voices\\joe"',
        [
            '1: use single quotes around text with backslashes: default = "C:\\voices\\joe"',
        ],
    ),
    (
        "[languages]\nru = [dmitry, ruslan] # the low ones",
        ["2: put the names in a list in quotes: ru = [dmitry, ruslan] # the low ones"],
    ),
    (
        "[languages]\nru = [\n  “dmitry”,\n  'ruslan',\n]",
        ["3: use straight quotes, not curly ones: “dmitry”,"],
    ),
    (
        "[pauses]\nscnee = 1\n[languages]\nru = ['dmitry'\nen = 'joe'",
        [
            '2: unknown key "scnee" in [pauses]. Did you mean "scene"?',
            "5: the list that begins in line 4 lacks a comma or its closing ].",
        ],
    ),
    (
        "[voices.dmitry]\n[voices.dmitry]\nrate = 1",
        ["2: [voices.dmitry] appears a second time: keep one table."],
    ),
    ("my voice = 'joe'", ["1: put a name with characters other than a-z, 0-9, - and _ in quotes: "
                          "my voice = 'joe'"]),
    (
        "default = joe\n[voices.dmitry]\nraet = 1\npitch = -8Hz\n\n[pauses]\nscene = 2 s",
        [
            "1: put the value in quotes: default = joe",
            '3: unknown key "raet" in [voices.dmitry]. Did you mean "rate"?',
            "4: put the value in quotes: pitch = -8Hz",
            "7: put the value in quotes: scene = 2 s",
        ],
    ),
    ('default = """joe\n', ["2: a text in triple quotes is never closed."]),
    (
        "x = " + "[" * 6_000,
        ["1: cannot be read as TOML: brackets are nested too deeply."],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "mistakes"), FAULTS)
def test_faults_of_syntax_are_reported_with_a_hint(
    tmp_path: Path, text: str, mistakes: list[str]
) -> None:
    assert mistakes_in(tmp_path, text) == [f"voices.toml:{mistake}" for mistake in mistakes]


@pytest.mark.parametrize(
    ("data", "mistake"),
    [
        ('default = "joe"'.encode("utf-16"), ": is not UTF-8 but UTF-16"),
        ('default = "joe"'.encode("utf-16-le"), ": is not UTF-8 but UTF-16"),
        ('# a\ndefault = "Дмитрий"'.encode("cp1251"), ":2: is not UTF-8 (perhaps Windows-1251)"),
        (b"# " + b"x" * 200_000, ": is larger than 128 KiB"),
        (bytes(range(256)), ": is not UTF-8"),
    ],
)
def test_a_file_that_is_no_text_is_reported_in_one_line(
    tmp_path: Path, data: bytes, mistake: str
) -> None:
    found = mistakes_in(tmp_path, data)
    assert len(found) == 1
    assert found[0].startswith(f"voices.toml{mistake}")


def test_a_byte_order_mark_and_windows_line_ends_are_no_mistake(tmp_path: Path) -> None:
    text = '\ufeff# voices\r\n[voices.dmitry]\r\nrate = "+5%"\r\n'
    assert of(tmp_path, text).voice("dmitry").rate_pct == 5
    assert mistakes_in(tmp_path, text.replace("rate", "raet"))[0].startswith("voices.toml:3: ")


def test_a_file_full_of_mistakes_is_reported_in_part_and_soon(tmp_path: Path) -> None:
    rows = (f'[voices.v{number}]\nfallback = ["zz{number}"]' for number in range(3_000))
    found = mistakes_in(tmp_path, "\n".join(rows))
    assert found[0] == "voices.toml:1: voices.v0 has no backend."
    assert found[-1] == "voices.toml: and 5,950 more."
    assert len(found) == 51


def test_a_mistake_cannot_steer_a_terminal(tmp_path: Path) -> None:
    found = mistakes_in(tmp_path, 'default = "\\u001b[31m\\nred\\u202e"')
    assert found == ['voices.toml:1: default = "\ufffd[31m\ufffdred\ufffd" is not a voice.']


def test_a_file_elsewhere_is_reported_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "home" / "mine.toml"
    file.parent.mkdir()
    file.write_text("x = 1")
    with pytest.raises(UserError, match=r"^home.mine\.toml:1: unknown key"):
        load_voices(file, cwd=tmp_path, config_dir=tmp_path)
    with pytest.raises(UserError) as caught:
        load_voices(file, cwd=tmp_path / "other", config_dir=tmp_path)
    assert str(caught.value).startswith(f"{file}:1: ")


# --- small things ---


@pytest.mark.parametrize(
    ("kind", "value", "number"),
    [
        ("rate", "-5%", -5),
        ("rate", "+10", 10),
        ("rate", "–5 %", -5),
        ("rate", 0, 0),
        ("pitch", "-8hz", -8),
        ("volume", "−20 %", -20),
    ],
)
def test_changes_are_read_as_people_write_them(
    kind: Literal["rate", "pitch", "volume"], value: int | str, number: int
) -> None:
    assert parse_change(kind, value) == number


@pytest.mark.parametrize("value", ["fast", "", "%", "5Hz", "1.2", "--5", "99999999999", 201, -91])
def test_a_change_that_is_none_is_the_user_s_mistake(value: int | str) -> None:
    with pytest.raises(UserError, match=r"^rate must be"):
        parse_change("rate", value)


@pytest.mark.parametrize(
    ("written", "tag"),
    [("RU", "ru"), ("pt_br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("no-NO", "nb-NO"), ("", "")],
)
def test_language_tags_are_written_in_one_way(written: str, tag: str) -> None:
    assert normalize_tag(written) == tag


@pytest.mark.parametrize(
    ("backend", "id_", "language"),
    [
        ("edge", "uk-UA-OstapNeural", "uk-UA"),
        ("edge", "de-DE-FlorianMultilingualNeural", ""),
        ("piper", "no_NO-talesyntese-medium", "no-NO"),
        ("piper", "mine", ""),
        ("espeak", "en-us", "en-US"),
        ("silent", "ru", ""),
    ],
)
def test_the_language_of_an_id(backend: str, id_: str, language: str) -> None:
    assert language_of(backend, id_) == language


@pytest.mark.parametrize(
    ("voice", "language", "yes"),
    [
        (Voice("a", "edge", "ru-RU-DmitryNeural", "ru-RU"), "ru", True),
        (Voice("a", "edge", "ru-RU-DmitryNeural", "ru-RU"), "uk", False),
        (Voice("a", "piper", "no_NO-x-low", "no-NO"), "nb", True),
        (Voice("a", "edge", "en-US-AvaMultilingualNeural", "en-US"), "ru", True),
        (Voice("a", "silent", "x"), "ru", True),
    ],
)
def test_which_voice_reads_which_language(voice: Voice, language: str, yes: bool) -> None:
    assert can_speak(voice, language) is yes


# --- properties ---

KEYS = st.text("ab.-\"' \\é#=[]{}\n", min_size=1, max_size=6)


@given(st.lists(st.tuples(KEYS, KEYS), max_size=6, unique_by=lambda pair: pair[0]), KEYS)
@settings(max_examples=60)
def test_every_key_is_found_on_its_line(pairs: list[tuple[str, str]], table: str) -> None:
    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'

    rows = ["# head", f"[{quoted(table)}]"]
    rows += [f"{quoted(key)} = [{quoted(value)}, {{ x = 1 }}]" for key, value in pairs]
    text = "\n".join(rows)
    assert set(tomllib.loads(text)[table]) == {key for key, _ in pairs}
    found = parse_toml(text.encode())
    for number, (key, _) in enumerate(pairs, 3):
        assert found.line_of((table, key)) == number
        assert found.line_of((table, key, 1, "x", "nothing")) == number


@given(st.text("ab=[]{}\"'#,.:-“” \\\n\r\t5", max_size=60))
@settings(max_examples=150)
def test_any_text_is_read_or_mistakes_in(text: str) -> None:
    found = parse_toml(text.encode())
    assert len(found.mistakes) <= MOST_MISTAKES
    assert all(1 <= mistake.line <= text.count("\n") + 1 for mistake in found.mistakes)
    assert bool(found.mistakes) or tomllib.loads(text) == found.table
