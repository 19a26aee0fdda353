"""Where a book is converted: the folders and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tts_book.errors import UserError


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
