"""The options of `read`, `plan` and `convert` from Python: named and meant as on the command line
(`--no-cache` is `no_cache`; `--from`, a word of Python's own, and `--to` are `start` and `stop`),
and made into the same request."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypedDict

from tts_book.backends import Backend
from tts_book.pipeline.request import Request, Surroundings
from tts_book.pipeline.session import resolve_path

FilePath = str | os.PathLike[str]


class ReadingOptions(TypedDict, total=False):
    """How a source is read."""

    language: str
    """What the text is in, as BCP 47 (`ru`, `en-GB`), where it cannot be told."""
    encoding: str
    """The text's encoding, where the guess is wrong."""
    title: str
    """The book's title, for the tags."""
    author: str
    """The book's author, for the tags."""
    split: Literal["auto", "headings", "none"]
    """Chapters by headings, or one chapter of all."""
    chapters: str
    """Chapters begin with the lines that this regular expression fits, and no others."""
    notes: Literal["skip", "inline", "end"]
    """Leaves notes out, reads each after the paragraph of its mark, or where they stand."""
    everything: bool
    """Speaks contents lists, notes and licences, too."""


class Options(ReadingOptions, total=False):
    """How a book is read, said, spoken and written."""

    output: FilePath
    """A folder, or the file of a book; the working directory unless it is given."""
    voice: str
    """A name from voices.toml, a service's own id, or BACKEND:ID."""
    voices: FilePath
    """The voices.toml to use, instead of those in the working directory and the config folder."""
    backend: str | Backend
    """A backend's name: it is made for the call and closed after it. Or an object of your own that
    keeps `backends.Backend`'s contract: it stays open. (`plan` and `convert` run an event loop
    each: where yours holds on to one, use `aplan` and `aconvert`.)"""
    rate: str | int
    """Faster or slower: `-10%` or -10."""
    pitch: str | int
    """Higher or lower: `-8Hz` or -8."""
    volume: str | int
    """Louder or softer: `+10%` or 10."""
    pronounce: FilePath
    """The pronounce.toml to use, instead of those beside the book and where voices.toml is."""
    only: str | int
    """Only these chapters (`3`, `2-5`) or chunks (`3/17`)."""
    redo: str | int
    """Speaks these chapters or chunks again."""
    start: str | int
    """An excerpt, from a chapter (`3`), chunk (`3/17`), line (`L120`), time (`12:30`) or words."""
    stop: str | int
    """Where the excerpt ends, named in the same way."""
    format: str
    """`mp3`, a file for each chapter; for the whole book `m4b`, `opus`, `mp3book`: `mp3,m4b`."""
    loudness: str | float
    """LUFS: -19 unless it is given; `off` leaves the sound as it came."""
    captions: str
    """Beside each file `srt`, `vtt` or `lrc`; several: `srt,lrc`."""
    layout: Literal["plain", "audiobookshelf"]
    """How folders are made."""
    cover: FilePath
    """A JPEG or PNG picture instead of the book's own; `none` for none."""
    series: str
    """The book's series, with its number in it: `Name #2`."""
    year: str | int
    """When it was written or published: four digits."""
    workers: int
    """At most so many requests at once; 0: as many as go well."""
    cache: FilePath
    """Where spoken chunks are kept, instead of the user's cache folder."""
    no_cache: bool
    """Keeps nothing for the next run."""
    force: bool
    """Replaces files of other origin, too."""
    proxy: str
    """A proxy for the online service."""
    wait: bool
    """Asks on, once a minute, when the online service is gone, instead of stopping."""


# Where the request has another word.
_NAMES = {"output": "out"}
_PATHS = ("output", "voices", "pronounce", "cover", "cache")
_NUMBERS = ("rate", "pitch", "volume", "only", "redo", "start", "stop", "loudness", "year")
_NO_COVER = Path("none")


def own_backends(options: Mapping[str, Any]) -> tuple[Backend, ...]:
    """The backend that was given as an object, if one was."""
    backend = options.get("backend", "")
    return () if isinstance(backend, str) else (backend,)


def request_of(
    options: Mapping[str, Any],
    at: Surroundings,
    known: Collection[str] = Options.__optional_keys__,
) -> Request:
    """The request that these options make. Raises TypeError for a name that is not `known`."""
    for name in options:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            raise TypeError(
                f"There is no option {name!r}." + "".join(f" Did you mean {c!r}?" for c in close)
            )
    given = dict(options)
    for backend in own_backends(options):
        given["backend"] = backend.name
    for name in given.keys() & set(_PATHS):
        path = Path(given[name])
        given[name] = path if path == _NO_COVER else resolve_path(at, path)
    for name in given.keys() & set(_NUMBERS):
        given[name] = str(given[name])
    return Request(**{_NAMES.get(name, name): value for name, value in given.items()})
