"""The index of the Piper voices that can be fetched, and finding one in it by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath

from tts_book.errors import UserError
from tts_book.text.language_tags import normalize_tag

_SUGGESTIONS = 3
_KEY = re.compile(r"\w[\w-]{0,99}")


@dataclass(frozen=True, slots=True)
class StoreVoice:
    """A voice in the store. Paths are relative to the store's address."""

    key: str
    language: str
    quality: str
    speakers: int
    model_path: str
    model_bytes: int
    model_md5: str
    card_path: str
    aliases: tuple[str, ...] = ()

    @property
    def config_path(self) -> str:
        """The settings lie beside the model."""
        return f"{self.model_path}.json"


Index = Mapping[str, StoreVoice]


def read_index(loaded: object) -> dict[str, StoreVoice]:
    """Voices by key from the parsed `voices.json`. Entries that are not understood are left out;
    raises ValueError where nothing is."""
    if not isinstance(loaded, dict):
        raise ValueError("it is not a table of voices")
    voices = {key: voice for key, entry in loaded.items() if (voice := _voice(key, entry))}
    if not voices:
        raise ValueError("it lists no voice")
    return voices


def _voice(key: str, entry: object) -> StoreVoice | None:
    files = _table(entry, "files")
    path = next((path for path in files if PurePosixPath(path).name == f"{key}.onnx"), "")
    size, md5 = _table(files, path).get("size_bytes"), _table(files, path).get("md5_digest")
    # The key becomes a file's name.
    if not (_KEY.fullmatch(key) and isinstance(size, int) and size > 0 and isinstance(md5, str)):
        return None
    language = _table(entry, "language").get("code")
    speakers = _table(entry).get("num_speakers")
    aliases = _table(entry).get("aliases")
    return StoreVoice(
        key,
        normalize_tag(language) if isinstance(language, str) else "und",
        str(_table(entry).get("quality", "")),
        speakers if isinstance(speakers, int) else 1,
        path,
        size,
        md5.lower(),
        next((path for path in files if PurePosixPath(path).name == "MODEL_CARD"), ""),
        tuple(map(str, aliases)) if isinstance(aliases, list) else (),
    )


def _table(value: object, key: str | None = None) -> dict[str, object]:
    inner = value if key is None else value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def find_voice(name: str, index: Index) -> StoreVoice:
    """The voice called `name`, also by an old name of it. Raises UserError with the nearest."""
    if name in index:
        return index[name]
    names = {alias.lower(): voice for voice in index.values() for alias in voice.aliases}
    names |= {key.lower(): voice for key, voice in index.items()}
    wanted = name.strip().lower()
    if wanted in names:
        return names[wanted]
    near = suggest_voices(wanted, index)
    if not near:
        languages = ", ".join(sorted({key.partition("-")[0] for key in index}))
        raise UserError(f'There is no Piper voice "{name}" to fetch. Languages: {languages}.')
    hint = " or ".join(f'"{key}"' for key in near)
    raise UserError(f'There is no Piper voice "{name}" to fetch. Did you mean {hint}?')


def suggest_voices(wanted: str, index: Index) -> list[str]:
    """Keys that are meant by part of a name, by a language, or by a misspelt name; best first."""
    wanted = wanted.lower().replace("-", "_")
    known = {key.lower().replace("-", "_"): key for key in index}
    exact = [key for low, key in known.items() if wanted and f"_{wanted}_" in f"_{low}_"]
    near = [known[low] for low in get_close_matches(wanted, known, _SUGGESTIONS, cutoff=0.6)]
    return list(dict.fromkeys([*exact, *near]))[:_SUGGESTIONS]
