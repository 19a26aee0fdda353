"""ZIP archives, opened with care: no bombs, no paths, names as people really write them."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from urllib.parse import unquote

from tts_book.errors import UserError

MOST_BYTES = 1024 * 1024 * 1024
"""All of an archive, unpacked."""
MOST_FILE_BYTES = 256 * 1024 * 1024
_MOST_RATIO = 200  # text packs 1:3 to 1:10; a bomb 1:1000
_MOST_FILES = 50_000


class DamagedFile(UserError):
    """One file of an archive cannot be read; the others may well be."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The files of a ZIP archive by name. Nothing is ever written to disk."""

    name: str
    files: zipfile.ZipFile
    by_key: dict[str, zipfile.ZipInfo]

    def names(self) -> list[str]:
        """The names of all files, as they stand in the archive."""
        return [info.filename for info in self.by_key.values()]

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return _key(path) in self.by_key or _key(unquote(path)) in self.by_key

    def same(self, path: str) -> str:
        """What all ways of writing the path of one file have in common."""
        return _key(unquote(path))

    def read(self, path: str) -> bytes:
        """The bytes of a file, found whatever its case, slashes or percent signs; empty if it is
        not there. Raises DamagedFile if it is damaged or too large."""
        info = self.by_key.get(_key(path)) or self.by_key.get(_key(unquote(path)))
        if info is None:
            return b""
        if info.file_size > MOST_FILE_BYTES:
            raise DamagedFile(f"{self.name}: {info.filename} is larger than 256 MB unpacked")
        try:
            with self.files.open(info) as file:
                data = file.read(MOST_FILE_BYTES + 1)
        except RuntimeError:
            raise UserError(f"{self.name} is locked with a password: unlock it first") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError):
            raise DamagedFile(f"{self.name} is damaged at {info.filename}: get it again") from None
        return data


def open_archive(data: bytes, name: str) -> Archive:
    """The archive in `data`. Raises UserError for what is none, is damaged, or is a bomb."""
    try:
        files = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise UserError(f"{name} is a damaged or cut-off archive: get it again") from None
    # A damaged name may be empty, which `is_dir` does not expect.
    infos = [info for info in files.infolist() if info.filename and not info.is_dir()]
    total = sum(info.file_size for info in infos)
    if len(infos) > _MOST_FILES or total > MOST_BYTES or total > _MOST_RATIO * len(data) + 10**7:
        raise UserError(f"{name} unpacks to {total:,} bytes: too much for a book, not opened")
    return Archive(name, files, {_key(info.filename): info for info in reversed(infos)})


def _key(path: str) -> str:
    parts: list[str] = []
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part.casefold())
    return "/".join(parts)
