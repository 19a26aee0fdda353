"""What a person may get wrong: each mistake is answered in one line, with a way out, before
anything is spoken."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tts_book.cli.app import main
from tts_book.cli.process import end_sentence

TEXT = "Chapter 1\n\nThe lamp was lit before the ship came in. Nobody saw it.\n"
RUSSIAN = "Глава 1\n\nФонарь зажгли раньше, чем пришёл корабль. Никто этого не видел.\n" * 3


@dataclass
class Person:
    """Somebody at a terminal, in a folder with a few files."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def types(self, *words: str) -> int:
        """Gives a command in this process; its exit code."""
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["tts-book", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        self.out, self.err = self.capsys.readouterr()
        return int(ended.value.code or 0)


@pytest.fixture
def person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Person:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name, text in (("a.txt", TEXT), ("b.txt", TEXT), ("ru.txt", RUSSIAN), ("empty.txt", "")):
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "binary.txt").write_bytes(b"\x7fELF\x02\x01\x01\x00" * 50)
    (tmp_path / "folder").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "1.txt").write_text(TEXT, "utf-8")
    (tmp_path / "bad.toml").write_text("default = joe\n", "utf-8")
    (tmp_path / "bad-words.toml").write_text("[patterns]\n'a(' = 'b'\n", "utf-8")
    (tmp_path / "song.mp3").write_bytes(b"no music")
    return Person(tmp_path, capsys, monkeypatch)


# What is typed after `tts-book`, and what the answer says.
CONVERT = [
    ("", "Missing argument"),
    ("nowhere.txt", "nowhere.txt"),
    ("a.tx", "a.txt"),
    ("empty.txt", "empty"),
    ("binary.txt", "binary.txt"),
    ("https://example.com/book.html", "is an address: download"),
    ("HTTP://EXAMPLE.COM/a", "is an address"),
    ("a.txt --voice dmitri", "Did you mean \"dmitry\"?"),
    ("a.txt --voice Joee", "Did you mean \"joe\"?"),
    ("a.txt --voice egde:x", "Did you mean \"edge\"?"),
    ("a.txt --backend egde", "Did you mean \"edge\"?"),
    ("a.txt --backend festival", "There is no backend \"festival\""),
    ("a.txt --voice joe --backend espeak", "belongs to the backend piper"),
    ("ru.txt --voice joe", "speaks en-US and the book is in Russian (ru)"),
    ("a.txt --voices nowhere.toml", "no voices file nowhere.toml"),
    ("a.txt --voices bad.toml", "bad.toml:1: put the value in quotes"),
    ("a.txt --voices folder", "is a folder"),
    ("a.txt --pronounce nowhere.toml", "nowhere.toml"),
    ("a.txt --pronounce bad-words.toml", "bad-words.toml:2: "),
    ("a.txt --rate fast", "rate must be a whole number"),
    ("a.txt --rate -99%", "between -90 and +200"),
    ("a.txt --rate -5Hz", "rate must be"),
    ("a.txt --pitch -5%", "pitch must be"),
    ("a.txt --pitch 999", "between -200 and +200"),
    ("a.txt --volume loud", "volume must be"),
    ("a.txt --rate=", None),
    ("a.txt --language russian", "did you mean ru?"),
    ("a.txt --language xx-", "unknown language"),
    ("a.txt --language klingonese", "unknown language"),
    ("a.txt --encoding utf-88", "did you mean \"utf-8\"?"),
    ("ru.txt --encoding ascii", "is not in ascii"),
    ("ru.txt --encoding base64", "base64"),
    ("a.txt --encoding utf-16", "is valid UTF-8, not utf-16"),
    ("ru.txt --encoding cp1251", "is valid UTF-8, not cp1251"),
    ("a.txt --ear-model base", "add --ear"),
    ("a.txt --records away", "beside, hidden"),
    (f"{300 * 'x'}.txt", "name too long"),
    ("a.txt --split never", "auto, headings, none"),
    ("a.txt --notes below", "skip, inline, end"),
    ("a.txt --chapters [", "is not a regular expression"),
    ("a.txt --chapters Kapitel", "matches no line"),
    ("a.txt --only 7", "7"),
    ("a.txt --only x", "--only"),
    ("a.txt --only 1/99", "1/99"),
    ("a.txt --redo 9", "9"),
    ("a.txt --redo 1-", "--redo"),
    ("a.txt --from zebra", "“zebra” is not found"),
    ("a.txt --from L999", "the last line that is spoken is 3"),
    ("a.txt --from 99:00", "min long"),
    ("a.txt --from 1/2 --to 1/1", "swap them"),
    ("a.txt --only 1 --to 1", "leave --only out"),
    ("a.txt b.txt --only 1", "convert the others separately"),
    ("a.txt --format mp4", "mp3, m4b, opus, mp3book"),
    ("a.txt --format mp3,wav", "\"wav\" is not known"),
    ("a.txt --captions sub", "srt, vtt, lrc"),
    ("a.txt --layout shelf", "plain, audiobookshelf"),
    ("a.txt --loudness loud", "LUFS from -40 to -9"),
    ("a.txt --loudness 5", "LUFS from -40 to -9"),
    ("a.txt --cover nowhere.jpg", "nowhere.jpg"),
    ("a.txt --cover a.txt", "a.txt"),
    ("a.txt --year soon", "four digits"),
    ("a.txt --year 99999", "four digits"),
    ("a.txt --cache b.txt", "--cache b.txt is a file"),
    ("a.txt --proxy socks9://h:1", "is not a proxy"),
    ("a.txt --from L0", "lines count from 1"),
    ("a.txt -o out.wav", "WAV files are not written"),
    ("a.txt -o out.txt", "out.txt is no audio file"),
    ("a.txt -o out.epub", "with --format page,epub"),
    ("a.txt -o out.flac", "FLAC files are not written"),
    ("a.txt -o song.mp3", "--force"),
    ("a.txt -o empty.txt/x", "empty.txt/x"),
    ("a.txt b.txt -o x.m4b", "tts-book batch FOLDER -o x.m4b"),
    ("a.txt -o x.m4b --format opus", "x.m4b is one .m4b file, and --format asks for opus"),
    ("a.txt --only 9", "has only chapter 1, no 9"),
    ("a.txt --voice joe --pitch 3", "Leave --pitch out"),
    ("a.txt --workers x", "--workers"),
    ("a.txt --workers -1", "--workers"),
    ("a.txt --proxy foo", "--proxy \"foo\" is not a proxy: write http://HOST:PORT"),
    ("a.txt --log-level loud", "error, warning, info, debug"),
    ("a.txt --vioce joe", "No such option: --vioce"),
    ("folder", "folder"),
]  # fmt: skip
OTHERS = [
    ("", 0, "Usage: tts-book"),
    ("a.txt", 2, "tts-book convert a.txt"),
    ("texts", 2, "tts-book batch texts"),
    ("convrt a.txt", 2, "Did you mean convert?"),
    ("batch", 2, "Missing argument"),
    ("batch nowhere", 2, "nowhere does not exist"),
    ("batch a.txt", 2, "tts-book convert a.txt"),
    ("batch folder", 2, "holds no texts"),
    ("plan nowhere.txt", 2, "nowhere.txt"),
    ("plan", 2, "Missing argument"),
    ("where a.txt", 2, "an audio file and a time"),
    ("where song.mp3 1:00", 2, "song.mp3"),
    ("where song.mp3 soon", 2, "soon"),
    ("where nowhere.mp3 1:00", 2, "nowhere.mp3"),
    ("where a.txt --line 3", 2, "a.txt"),
    ("verify", 2, "Missing argument"),
    ("verify nowhere", 2, "nowhere"),
    ("verify folder", 2, "folder"),
    ("verify a.txt --ear-model base", 2, "add --ear"),
    ("verify a.txt --sample 5%", 2, "add --ear"),
    ("verify a.txt --only 2", 2, "add --ear"),
    ("cache --clear --cache a.txt", 2, "a.txt is a file"),
    ("voices --preview joe -o x.txt", 2, "x.txt is not an audio file"),
    ("voices --language klingonese", 2, "unknown language"),
    ("voices --backend egde", 2, "egde"),
    ("voices --preview nobody", 2, "There is no voice \"nobody\""),
    ("voices dmitry", 2, "\"dmitry\" is not a command"),
    ("cache --age 3", 2, "add --prune"),
    ("cache --prune", 2, "--age DAYS"),
    ("cache --prune --age old", 2, "--age"),
    ("doctor --voices bad.toml", 1, "bad.toml:1: put the value in quotes"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "told"), CONVERT)
def test_a_mistake_in_a_conversion(words: str, told: str | None, person: Person) -> None:
    backend = [] if "--backend" in words or "joe" in words.lower() else ["--backend", "silent"]
    if "--voice egde" in words or "dmitri" in words:
        backend = []
    code = person.types("convert", *words.split(), *backend)
    if told is None:
        assert code == 0
        return
    assert code == 2, person.err
    last = person.err.splitlines()[-1]
    assert last.startswith(("tts-book: ", "bad"))
    assert told in last
    assert last == end_sentence(last)
    assert person.out == ""
    assert not list(person.folder.rglob("*.jsonl"))


@pytest.mark.parametrize(("words", "code", "told"), OTHERS)
def test_a_mistake_in_another_command(words: str, code: int, told: str, person: Person) -> None:
    assert person.types(*words.split()) == code, person.err
    assert told in person.out + person.err
    assert "Traceback" not in person.err
    assert all(line == end_sentence(line) for line in person.err.splitlines())


@pytest.mark.parametrize(
    "command",
    ["convert", "plan", "batch", "verify", "page", "where --line 1", "feed --url https://a.org",
     "convert a.txt --output", "convert a.txt --cache", "convert a.txt --voices"],
)  # fmt: skip
def test_an_empty_name_is_not_the_current_folder(command: str, person: Person) -> None:
    assert person.types(*command.split(), "") == 2
    assert "The name of a file or a folder is empty" in person.err


@pytest.mark.parametrize(
    "option",
    ["--rate fast", "--language russian", "--encoding utf-88", "--chapters [", "--proxy foo",
     "--only x", "--format mp4", "--captions sub", "--year soon", "-o out.wav", "--voice dmitri",
     "--backend egde", "--cover nowhere.jpg", "--pronounce nowhere.toml"],
)  # fmt: skip
def test_options_are_checked_before_a_book_is_read(option: str, person: Person) -> None:
    person.types("convert", "a.txt", *option.split())
    checked = person.err
    assert person.types("convert", "binary.txt", *option.split()) == 2
    assert "language:" not in checked
    assert person.err == checked


def test_a_language_that_does_not_fit_is_a_warning(person: Person) -> None:
    assert person.types("convert", "ru.txt", "--language", "fr", "--backend", "silent") == 0
    assert "looks Russian (ru), but is read as French (fr), as --language says" in person.err


@pytest.mark.parametrize(
    ("message", "ended"),
    [
        ("a.txt is empty", "a.txt is empty."),
        ("a.txt is empty.", "a.txt is empty."),
        ("Did you mean convert?", "Did you mean convert?"),
        ("Convert it with: tts-book convert a.txt", "Convert it with: tts-book convert a.txt"),
        ("See: https://example.org/a", "See: https://example.org/a"),
        ("v.toml:3: put it in quotes: a = b", "v.toml:3: put it in quotes: a = b"),
        ("tts-book: v.toml:3: a is missing: b", "tts-book: v.toml:3: a is missing: b"),
        ('There is no backend "a". Known: b, c', 'There is no backend "a". Known: b, c.'),
    ],
)
def test_a_message_ends_like_a_sentence(message: str, ended: str) -> None:
    assert end_sentence(message) == ended


@pytest.mark.parametrize(
    ("shown", "keys"),
    [
        ("--words", {"book", "word", "kind", "count", "context"}),
        ("--cast", {"book", "speaker", "gender", "utterances", "examples"}),
    ],
)
def test_what_plan_shows_is_json_too(shown: str, keys: set[str], person: Person) -> None:
    text = "“Is this the BBC?” asked Mary. “It is,” said John. “Good,” said Mary.\n" * 4
    (person.folder / "talk.txt").write_text(text, "utf-8")
    assert person.types("plan", "talk.txt", "--language", "en", "--json", shown) == 0
    lines = [json.loads(line) for line in person.out.splitlines()]
    assert lines
    assert all(set(line) == keys for line in lines)


def test_one_file_is_one_file(person: Person) -> None:
    assert person.types("convert", "a.txt", "--backend", "silent", "-q") == 0
    assert person.err == ""
    person.types("convert", "a.txt", "--backend", "silent")
    assert "nothing has changed, 1 file is there" in person.err
