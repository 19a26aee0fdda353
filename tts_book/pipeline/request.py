"""What was asked for, on the command line or from Python, and the surroundings of the answer."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO

from tts_book.cli.log import SILENT, Log

SPLITS = ("auto", "headings", "none")
NOTES = ("skip", "inline", "end")


@dataclass(frozen=True, slots=True)
class Request:
    """Options as they were given; "" or None where nothing was said."""

    out: Path | None = None
    voice: str = ""
    voices: Path | None = None
    backend: str = "auto"
    rate: str = ""
    pitch: str = ""
    volume: str = ""
    language: str = ""
    encoding: str = ""
    title: str = ""
    author: str = ""
    split: str = "auto"
    chapters: str = ""
    pronounce: Path | None = None
    notes: str = "skip"
    everything: bool = False
    only: str = ""
    redo: str = ""
    start: str = ""
    stop: str = ""
    explain: bool = False
    format: str = ""
    loudness: str = ""
    captions: str = ""
    layout: str = "plain"
    cover: Path | None = None
    series: str = ""
    year: str = ""
    workers: int = 0
    cache: Path | None = None
    no_cache: bool = False
    force: bool = False
    proxy: str = ""
    wait: bool = False
    json: bool = False
    quiet: bool = False
    log_level: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a book is converted: the folder that relative paths mean, the user's own folders for
    voices.toml and pronounce.toml, for spoken chunks and for local voices, and the environment."""

    cwd: Path
    config_dir: Path
    cache_dir: Path
    voices_dir: Path
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Terminal(Surroundings):
    """Where and on what the program runs: besides, its streams, the command that the user gave,
    for saying how to go on, and the log."""

    stdin: IO[bytes]
    stdin_is_terminal: bool
    out: IO[str]
    err: IO[str]
    command: str = "tts-book"
    log: Log = SILENT


# Options with another name than their wish.
_NAMES = {"out": "-o", "start": "--from", "stop": "--to"}
# What is of one run only, changes nothing of the result, or may hold a password.
_LEFT_OUT = (
    "only", "redo", "explain", "force", "json", "quiet", "workers", "wait", "proxy",
    "log_level",
)  # fmt: skip


def format_rerun_command(request: Request, source: Path, cwd: Path) -> str:
    """The command, given in the folder `cwd`, that converts this source (or folder of texts) alone
    as the request did."""
    words = ["tts-book", "batch" if source.is_dir() else "convert", _short(source, cwd)]
    usual = Request()
    for option in fields(Request):
        value = getattr(request, option.name)
        if option.name in _LEFT_OUT or value == getattr(usual, option.name):
            continue
        words.append(_NAMES.get(option.name) or f"--{option.name.replace('_', '-')}")
        if value is not True:
            words.append(_short(value, cwd) if isinstance(value, Path) else str(value))
    return shlex.join(words)


def _short(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd) if path.is_relative_to(cwd) else path)
