"""What the user asked for on the command line, and the surroundings that the answer needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tts_book.errors import UserError

SPLITS = ("auto", "headings", "none")


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
    workers: int = 0
    cache: Path | None = None
    no_cache: bool = False
    force: bool = False
    proxy: str = ""
    json: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Here:
    """Where and on what the program runs: folders, environment, streams, and the command that
    the user gave, for saying how to go on."""

    cwd: Path
    config_dir: Path
    cache_dir: Path
    voices_dir: Path
    environ: Mapping[str, str]
    stdin: IO[bytes]
    stdin_is_terminal: bool
    out: IO[str]
    err: IO[str]
    command: str = "tts-book"


def change(text: str, option: str, unit: str, lowest: int, highest: int) -> int | None:
    """A signed change such as "-10%" or "+8": None for "". Raises UserError."""
    if not text:
        return None
    found = re.fullmatch(r"\s*([+-]?\d{1,4})\s*" + f"(?:{unit})?" + r"\s*", text, re.IGNORECASE)
    if found is None or not lowest <= int(found[1]) <= highest:
        raise UserError(
            f'{option} "{text}" is not understood: give a change from {lowest}{unit} to '
            f"+{highest}{unit}, for example {option} -10{unit}."
        )
    return int(found[1])
