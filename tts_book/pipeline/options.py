"""The options of a conversion, declared once.

The command line, the Python interface, the command that repeats a run and the fingerprint of a
finished book all derive from the fields of `Options`: a new option is one field here, and its use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from tts_book.backends import Backend
from tts_book.errors import UserError
from tts_book.events import quote_command

FilePath = str | os.PathLike[str]

SPLITS = ("auto", "headings", "none")
NOTES = ("skip", "inline", "end")
LAYOUTS = ("plain", "audiobookshelf")
RECORDS = ("beside", "hidden")
NO_COVER = "none"
NO_CAST = "off"
CODE = ("announce", "read", "skip")
URLS = ("host", "read", "skip")


class Panel(StrEnum):
    """What an option is about: the groups of the command line's help."""

    READ = "What to read"
    VOICE = "Voice"
    SOUND = "Sound"
    OUTPUT = "Output"
    RUN = "Run"


@dataclass(frozen=True, slots=True)
class OptionInfo:
    """What is known of an option besides its name, type and default.

    `flags` are its names on the command line, `--name` unless they are given. `repeats`: it belongs
    to the command that repeats the run; `changes_files`: the files depend on it.
    """

    help: str
    panel: Panel
    flags: tuple[str, ...]
    metavar: str
    choices: tuple[str, ...]
    repeats: bool
    changes_files: bool


def option(
    default: object,
    help: str,
    panel: Panel,
    *,
    flags: tuple[str, ...] = (),
    metavar: str = "",
    choices: tuple[str, ...] = (),
    repeats: bool = True,
    changes_files: bool = True,
) -> Any:
    """A field of a class of options; see `OptionInfo`."""
    info = OptionInfo(help, panel, flags, metavar, choices, repeats, changes_files)
    return field(default=default, metadata={"option": info})


def option_info(option: Field[Any]) -> OptionInfo:
    """What is known of an option besides its name, type and default."""
    info: OptionInfo = option.metadata["option"]
    return info


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How a source is read."""

    language: str = option(
        "",
        "Language, such as ru or en-GB. That of a text is detected unless given.",
        Panel.READ,
        metavar="CODE",
    )
    encoding: str = option(
        "", "Encoding of the text, where the guess is wrong.", Panel.READ, metavar="NAME"
    )
    title: str = option("", "Title of the book.", Panel.READ, metavar="TEXT")
    author: str = option("", "Author of the book.", Panel.READ, metavar="TEXT")
    split: str = option(
        "auto", "Chapters: auto, by headings, or none.", Panel.READ, choices=SPLITS, metavar="HOW"
    )
    chapters: str = option(
        "", "Chapters begin with lines that match this.", Panel.READ, metavar="REGEX"
    )
    notes: str = option(
        "skip",
        "Footnotes: skip, inline (after their paragraph), end (where they are).",
        Panel.READ,
        choices=NOTES,
        metavar="HOW",
    )
    everything: bool = option(False, "Read contents lists, notes and licences, too.", Panel.READ)
    no_recursive: bool = option(False, "Of a folder, only the files directly in it.", Panel.READ)
    code: str = option(
        "announce",
        "Code, formulas, figures: announce (in a word or two), read, skip.",
        Panel.READ,
        choices=CODE,
        metavar="HOW",
    )
    urls: str = option(
        "host",
        "Web addresses: host (a link to it), read, skip.",
        Panel.READ,
        choices=URLS,
        metavar="HOW",
    )


@dataclass(frozen=True, kw_only=True)
class Options(ReadingOptions):
    """How a book is read, spoken and written. Numbers may be given as numbers or as texts, paths as
    texts or as path objects."""

    only: str | int = option(
        "",
        "Only chapters 3 or 2-5, or chunks 3/17.",
        Panel.READ,
        metavar="PARTS",
        repeats=False,
    )
    redo: str | int = option(
        "",
        "Speak chapters or chunks again.",
        Panel.READ,
        metavar="PARTS",
        repeats=False,
    )
    start: str | int = option(
        "",
        "An excerpt from here: 3, 3/17, L120, 12:30, or words.",
        Panel.READ,
        flags=("--from",),
        metavar="PLACE",
    )
    stop: str | int = option(
        "", "The end of the excerpt.", Panel.READ, flags=("--to",), metavar="PLACE"
    )
    allow_missing: bool = option(
        False, "Convert a damaged book without the parts that are missing.", Panel.READ
    )
    voice: str = option(
        "", "A name from voices.toml, a voice id, or BACKEND:ID.", Panel.VOICE, metavar="NAME"
    )
    voices: FilePath | None = option(None, "The voices.toml to use.", Panel.VOICE, metavar="FILE")
    backend: str | Backend = option(
        "auto",
        "auto, edge (online), piper, openai (your server), espeak (robotic), silent.",
        Panel.VOICE,
        metavar="NAME",
    )
    cast: FilePath | None = option(
        None, "The cast.toml to use, or off for one voice.", Panel.VOICE, metavar="FILE"
    )
    voice_for: str = option(
        "",
        "Voices of roles and speakers: dialogue=svetlana,Lucy=ava.",
        Panel.VOICE,
        metavar="NAME=VOICE",
    )
    voice_marks: bool = option(False, "Heed [voice:NAME] and [/voice] in the text.", Panel.VOICE)
    rate: str | int = option("", "Faster or slower: -10%.", Panel.VOICE, metavar="PCT")
    pitch: str | int = option("", "Higher or lower: -8Hz.", Panel.VOICE, metavar="HZ")
    volume: str | int = option("", "Louder or softer: +10%.", Panel.VOICE, metavar="PCT")
    pronounce: FilePath | None = option(
        None, "The pronounce.toml to use.", Panel.VOICE, metavar="FILE"
    )
    loudness: str | float = option(
        "", "-19 unless given; off leaves the sound as it is.", Panel.SOUND, metavar="LUFS"
    )
    output: FilePath | None = option(
        None,
        "A folder, or the file of a book.",
        Panel.OUTPUT,
        flags=("-o", "--output"),
        metavar="PATH",
    )
    format: str = option(
        "", "mp3, m4b, opus, mp3book, page, epub; several: mp3,page.", Panel.OUTPUT, metavar="LIST"
    )
    captions: str = option("", "Beside each file: srt, vtt, lrc.", Panel.OUTPUT, metavar="LIST")
    layout: str = option(
        "plain",
        "Folders: plain, audiobookshelf (Author/Series/Title).",
        Panel.OUTPUT,
        choices=LAYOUTS,
        metavar="NAME",
    )
    records: str = option(
        "",
        "Records of how files were made: beside them, or hidden in a folder .tts-book.",
        Panel.OUTPUT,
        choices=RECORDS,
        metavar="PLACE",
        repeats=False,
        changes_files=False,
    )
    cover: FilePath | None = option(
        None, "A JPEG or PNG picture, or none.", Panel.OUTPUT, metavar="FILE"
    )
    series: str = option("", 'Series of the book: "Name #2".', Panel.OUTPUT, metavar="NAME")
    year: str | int = option("", "Year of writing or publication.", Panel.OUTPUT, metavar="YEAR")
    workers: int = option(
        0,
        "At most this many requests at once; 0: as many as go well.",
        Panel.RUN,
        metavar="N",
        repeats=False,
        changes_files=False,
    )
    ear: bool = option(
        False,
        "Have a recogniser check the speech (needs the extra ear).",
        Panel.RUN,
        repeats=False,
        changes_files=False,
    )
    ear_model: str = option(
        "",
        "An installed recogniser, or its folder.",
        Panel.RUN,
        metavar="NAME",
        repeats=False,
        changes_files=False,
    )
    cache: FilePath | None = option(
        None, "Folder of the spoken chunks.", Panel.RUN, metavar="DIR", changes_files=False
    )
    no_cache: bool = option(False, "Keep nothing for the next run.", Panel.RUN, changes_files=False)
    force: bool = option(
        False,
        "Overwrite any file; rebuild all chapters.",
        Panel.RUN,
        repeats=False,
        changes_files=False,
    )
    proxy: str = option(
        "",
        "A proxy for the online service.",
        Panel.RUN,
        metavar="URL",
        repeats=False,
        changes_files=False,
    )
    share: bool = option(
        False,
        "Divide the work with other runs on this cache folder, also on other machines.",
        Panel.RUN,
        repeats=False,
        changes_files=False,
    )
    cluster: str = option(
        "",
        "Have the machines of a cluster speak: tls://HOST:8786, or local.",
        Panel.RUN,
        metavar="ADDRESS",
        repeats=False,
        changes_files=False,
    )
    tls: FilePath | None = option(
        None,
        "Folder with ca.pem, cert.pem and key.pem for tls://.",
        Panel.RUN,
        metavar="DIR",
        repeats=False,
        changes_files=False,
    )
    insecure: bool = option(
        False,
        "Allow a cluster beyond this machine without TLS.",
        Panel.RUN,
        repeats=False,
        changes_files=False,
    )
    wait: bool = option(
        False,
        "Keep retrying every minute when the online service is gone.",
        Panel.RUN,
        repeats=False,
        changes_files=False,
    )

    @property
    def own_backends(self) -> tuple[Backend, ...]:
        """The backend that was given as an object, if one was."""
        return () if isinstance(self.backend, str) else (self.backend,)

    @property
    def backend_name(self) -> str:
        """The name of the backend, "auto" to have one chosen."""
        backend = self.backend if isinstance(self.backend, str) else self.backend.name
        return backend or "auto"

    @property
    def is_partial(self) -> bool:
        """Whether only a part of the book is asked for."""
        return any(part != "" for part in (self.only, self.redo, self.start, self.stop))


_Some = TypeVar("_Some", bound=ReadingOptions)


def make_options(kind: type[_Some], given: Mapping[str, Any]) -> _Some:
    """Options of this kind. Raises TypeError for a name that there is not."""
    known = {each.name for each in fields(kind)}
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            raise TypeError(
                f"There is no option {name!r}." + "".join(f" Did you mean {c!r}?" for c in close)
            )
    return kind(**given)


def given_options(options: ReadingOptions) -> Iterator[tuple[Field[Any], Any]]:
    """The options that are not at their defaults, with their values; a backend by its name."""
    for each in fields(options):
        value = getattr(options, each.name)
        if value != each.default and "option" in each.metadata:
            is_plain = isinstance(value, str | int | float | os.PathLike)
            yield each, value if is_plain else value.name


def is_path(option: Field[Any]) -> bool:
    """Whether an option names a file or a folder."""
    return option.default is None


def check_ear(options: Options) -> None:
    """Raises UserError for a recogniser that nothing is to be heard by."""
    if options.ear_model and not options.ear:
        raise UserError("--ear-model names the recogniser of --ear: add --ear.")


def check_choices(options: ReadingOptions) -> None:
    """Raises UserError for a value that is none of an option's choices."""
    for each, value in given_options(options):
        choices = option_info(each).choices
        if choices and value not in choices:
            name = each.name.replace("_", "-")
            raise UserError(f'--{name} "{value}" is not known: {", ".join(choices)}.')


def resolve_paths(options: _Some, at: Surroundings) -> _Some:
    """The same with all paths seen from the folder that relative ones mean."""
    given = [(each.name, value) for each, value in given_options(options) if is_path(each)]
    paths = {
        name: at.resolve_path(value)
        for name, value in given
        if str(value) not in (NO_COVER, NO_CAST)
    }
    return replace(options, **paths)  # type: ignore[arg-type]  # these are the fields with paths


def result_options(options: ReadingOptions) -> tuple[tuple[str, str], ...]:
    """The given options that the files depend on, as text: a part of a book's fingerprint."""
    return tuple(
        (each.name, str(value))
        for each, value in given_options(options)
        if option_info(each).changes_files
    )


def format_rerun_command(options: ReadingOptions, source: Path, cwd: Path) -> str:
    """The command, given in the folder `cwd`, that converts this source (or folder of texts) alone
    with these options."""
    words = ["tts-book", "batch" if source.is_dir() else "convert", _shorten_path(source, cwd)]
    for each, value in given_options(options):
        info = option_info(each)
        if not info.repeats:
            continue
        words.append(info.flags[0] if info.flags else f"--{each.name.replace('_', '-')}")
        if value is not True:
            words.append(_shorten_path(Path(value), cwd) if is_path(each) else str(value))
    return quote_command(words)


def _shorten_path(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd) if path.is_relative_to(cwd) else path)


def hide_password(proxy: str) -> str:
    """The address of a proxy as it may be shown: without name and password."""
    way, at, host = proxy.rpartition("@")
    scheme, colon, _ = way.rpartition("://")
    return f"{scheme}{colon}…@{host}" if at else proxy


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a book is converted: the folder that relative paths mean, the user's own folders for
    voices.toml and pronounce.toml, for spoken chunks and for local voices, and the environment."""

    cwd: Path
    config_dir: Path
    cache_dir: Path
    voices_dir: Path
    environ: Mapping[str, str]

    def resolve_path(self, path: str | os.PathLike[str]) -> Path:
        """A path of the user's, seen from `cwd`; as it is where that is the process's folder."""
        path = Path(path)
        return path if path.is_absolute() or self.cwd == Path.cwd() else self.cwd / path


def find_surroundings() -> Surroundings:
    """The real folders and environment. Raises UserError where our folder was deleted."""
    from platformdirs import PlatformDirs

    places = PlatformDirs("tts-book", appauthor=False)
    try:
        cwd = Path.cwd()
    except FileNotFoundError:
        raise UserError("This folder is not there any more: go to another one.") from None
    return Surroundings(
        cwd=cwd,
        config_dir=places.user_config_path,
        cache_dir=places.user_cache_path,
        voices_dir=places.user_data_path / "voices",
        environ=dict(os.environ),
    )
