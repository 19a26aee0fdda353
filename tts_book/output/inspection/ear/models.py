"""Models of faster-whisper: which there are, where they lie, and how one is fetched.

A model is fetched only by `tts-book ear install MODEL`, after its size, source and licence were
shown.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tts_book.backends.download import (
    Downloader,
    OnProgress,
    RemoteFile,
    Wire,
    find_store_url,
    free_bytes_of,
    open_wire,
    report_unwritable,
    unavailable,
)
from tts_book.errors import UserError

DEFAULT_URL = "https://huggingface.co/"
URL_VARIABLE = "TTS_BOOK_EAR_URL"
LICENCE = "MIT"
# Name to repository; sizes are rounded, for those who choose.
REPOSITORIES = {
    "tiny": ("Systran/faster-whisper-tiny", 75),
    "tiny.en": ("Systran/faster-whisper-tiny.en", 75),
    "base": ("Systran/faster-whisper-base", 145),
    "base.en": ("Systran/faster-whisper-base.en", 145),
    "small": ("Systran/faster-whisper-small", 484),
    "small.en": ("Systran/faster-whisper-small.en", 484),
    "medium": ("Systran/faster-whisper-medium", 1_530),
    "medium.en": ("Systran/faster-whisper-medium.en", 1_530),
    "large-v3": ("Systran/faster-whisper-large-v3", 3_090),
    "large-v3-turbo": ("mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1_620),
}
_WANTED = re.compile(
    r"model\.bin|config\.json|tokenizer\.json|preprocessor_config\.json|vocabulary\.(?:txt|json)"
)
_NEEDED = frozenset({"model.bin", "config.json", "tokenizer.json"})
# A name that is set last: a folder without it was not fetched whole.
_COMPLETE = "complete"

Agree = Callable[["RemoteModel"], bool]


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model that can be fetched."""

    name: str
    source: str
    files: tuple[RemoteFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(file.size_bytes for file in self.files)


def models_folder(voices: Path) -> Path:
    """Where models are installed: beside the folder of the user's voices."""
    return voices.parent / "ear"


def find_model(named: str, folder: Path) -> Path:
    """The folder of a model: one that is named by its path, or an installed one by its name; ""
    takes the best that is installed. Raises UserError with what to do."""
    if named and (Path(named).is_dir() or os.sep in named):
        path = Path(named)
        if not (path / "model.bin").is_file():
            raise UserError(f"{path} is not a model: give a folder with model.bin.")
        return path
    installed = list_installed(folder)
    if named in installed:
        return folder / named
    if named and named not in REPOSITORIES:
        raise UserError(
            f'There is no model "{named}": {", ".join(REPOSITORIES)}, or the folder of another.'
        )
    if not named and installed:
        return folder / installed[-1]
    model = named or "base"
    raise UserError(
        f"The model {model} is not installed: tts-book ear install {model} "
        f"({REPOSITORIES[model][1]:,} MB)."
    )


def list_installed(folder: Path) -> list[str]:
    """The names of the installed models, the smallest first."""
    return [name for name in REPOSITORIES if (folder / name / _COMPLETE).exists()]


class ModelStore:
    """Models at an address that answers as Hugging Face does."""

    def __init__(
        self,
        wire: Wire,
        url: str = DEFAULT_URL,
        *,
        sleep: Callable[[float], None] = time.sleep,
        free_bytes: Callable[[Path], int] = free_bytes_of,
    ) -> None:
        self._files = Downloader(wire, url, sleep=sleep, free_bytes=free_bytes)

    def find(self, name: str) -> RemoteModel:
        """A model with its files, sizes and checksums as the store tells them. Raises UserError for
        an unknown name, BackendUnavailable."""
        if name not in REPOSITORIES:
            raise UserError(f'There is no model "{name}": {", ".join(REPOSITORIES)}.')
        repository = REPOSITORIES[name][0]
        listing = f"api/models/{repository}/tree/main"
        try:
            entries = json.loads(self._files.read_text(listing))
            files = tuple(
                file for entry in entries if (file := _remote_file(repository, entry)) is not None
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise unavailable(
                f"{self._files.url}{listing} is not a list of files: {error}"
            ) from error
        missing = _NEEDED - {file.path.rpartition("/")[2] for file in files}
        if missing:
            raise unavailable(f"{repository} has no {', '.join(sorted(missing))}")
        return RemoteModel(name, f"{self._files.url}{repository}", files)

    def install(
        self, name: str, folder: Path, *, agree: Agree, on_progress: OnProgress | None = None
    ) -> Path:
        """Fetches a model into a folder of its own below `folder`; what is there already is kept.
        `agree` is shown it first. Raises UserError for a no, an unknown name and a disk that takes
        nothing, BackendUnavailable where the store cannot be reached."""
        target = folder / name
        if (target / _COMPLETE).exists():
            return target
        model = self.find(name)
        if not agree(model):
            raise UserError(f"The model {name} was not fetched.")
        done_bytes = 0
        with report_unwritable(target):
            target.mkdir(parents=True, exist_ok=True)
            for file in model.files:
                before = done_bytes

                def report(done: int, _: int, before: int = before) -> None:
                    if on_progress is not None:
                        on_progress(before + done, model.size_bytes)

                path = target / file.path.rpartition("/")[2]
                if not file.is_whole(path):
                    part = self._files.fetch_part(file, path, f"The model {name}", report)
                    os.replace(part, path)  # noqa: PTH105  # the same on every system
                done_bytes += file.size_bytes
            (target / _COMPLETE).touch()
        return target


def _remote_file(repository: str, entry: dict[str, object]) -> RemoteFile | None:
    """A file of the store's listing: large ones with their SHA-256, small ones with git's sum."""
    name = str(entry["path"])
    if not _WANTED.fullmatch(name):
        return None
    large = entry.get("lfs")
    size = entry["size"]
    if not isinstance(size, int):
        raise TypeError(f"{name} has no size")
    path = f"{repository}/resolve/main/{name}"
    if isinstance(large, dict):
        return RemoteFile(path, int(large["size"]), "sha256", str(large["oid"]))
    return RemoteFile(path, size, "git", str(entry["oid"]))


def open_model_store(environ: Mapping[str, str], proxy: str = "") -> ModelStore:
    """The store at `$TTS_BOOK_EAR_URL`, or Hugging Face. Raises UserError for an address that is
    not HTTP's."""
    url = find_store_url(environ, URL_VARIABLE, DEFAULT_URL)
    return ModelStore(open_wire(environ, proxy), url)
