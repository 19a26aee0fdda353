"""The Piper voices here: a model `NAME.onnx` with its settings `NAME.onnx.json` beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_SUFFIX = ".onnx"


@dataclass(frozen=True, slots=True)
class LocalVoice:
    """A voice whose files are here. `language` is BCP 47, "und" where its settings do not say;
    `speakers` pairs names with the model's numbers, empty for a voice of one speaker; `sha256` is
    what the model must be, where that is known."""

    id: str
    language: str
    model: Path
    config: Path
    quality: str = ""
    speakers: tuple[tuple[str, int], ...] = ()
    sha256: str = ""


def installed(folders: Iterable[Path]) -> tuple[LocalVoice, ...]:
    """The voices in `folders`, each once, from the first folder that has it. Folders that are not
    there, and models without readable settings, are passed over."""
    found: dict[str, LocalVoice] = {}
    for folder in folders:
        for voice in _in_folder(folder):
            found.setdefault(voice.id, voice)
    return tuple(found.values())


def local_voice(model: Path, config: Path) -> LocalVoice | None:
    """The voice of these two files; None where the settings cannot be read as a voice's."""
    try:
        settings = json.loads(config.read_text("utf-8"))
    except (OSError, UnicodeError, json.JSONDecodeError, RecursionError):
        return None
    if not isinstance(settings, dict) or "phoneme_id_map" not in settings:
        return None
    name = model.name.removesuffix(_SUFFIX)
    return LocalVoice(
        name,
        _language(settings, name),
        model,
        config,
        str(_inside(settings, "audio", "quality") or ""),
        tuple(_speakers(settings)),
    )


def _in_folder(folder: Path) -> Iterator[LocalVoice]:
    try:
        models = sorted(folder.glob(f"*{_SUFFIX}"))
    except OSError:
        return
    for model in models:
        config = model.with_name(f"{model.name}.json")
        voice = local_voice(model, config) if config.is_file() else None
        if voice:
            yield voice


def _inside(settings: dict[str, object], group: str, key: str) -> object:
    values = settings.get(group)
    return values.get(key) if isinstance(values, dict) else None


def _language(settings: dict[str, object], name: str) -> str:
    code = _inside(settings, "language", "code") or _inside(settings, "espeak", "voice")
    named = re.match(r"[a-z]{2,3}(?:_[A-Z]{2})?(?=-)", name)
    if not isinstance(code, str) or not code:
        code = named[0] if named else "und"
    return bcp47(code)


def bcp47(code: str) -> str:
    """`code` as BCP 47 writes it: en_us is en-US."""
    language, *others = code.replace("_", "-").split("-")
    region = [other.upper() if len(other) == 2 else other for other in others[:1]]
    return "-".join([language.lower(), *region, *others[1:]])


def _speakers(settings: dict[str, object]) -> Iterator[tuple[str, int]]:
    count = settings.get("num_speakers")
    if not isinstance(count, int) or count <= 1:
        return
    names = settings.get("speaker_id_map")
    known = {v: k for k, v in names.items()} if isinstance(names, dict) else {}
    for number in range(min(count, 10_000)):
        yield str(known.get(number, number)), number
