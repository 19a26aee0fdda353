"""Neural voices on this machine: Piper, with the English voice of the extra `offline` and every
voice in the voices folders; as many at once as cores and memory allow."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from tts_book.backends import Health, Limits, Settings, VoiceInfo
from tts_book.backends.piper.assembly import PAUSES, Assembly
from tts_book.backends.piper.model import INSTALL, Delivery, Model, PiperModel
from tts_book.backends.piper.text_rules import (
    SayableParagraph,
    SentencePart,
    has_ordinal_points,
    make_sayable,
    split_paragraph,
)
from tts_book.backends.piper.voices import (
    SPEAKER_SIGN,
    LocalVoice,
    describe_voices,
    find_bundled,
    find_installed,
    find_speaker,
    list_folders,
    refuse_unknown,
    shorten_list,
)
from tts_book.errors import BackendIncomplete, Failure, misconfigured
from tts_book.model import Speech, Voice

_LOG = logging.getLogger("tts_book.piper")

_SILENCE_MS = 300
_READ_BYTES = 1 << 20
_MOST_THREADS = 512
# The longest utterance of the joe voice takes 500 MB while it is made, the model 150 MB.
_BASE_BYTES, _BYTES_AT_ONCE = 150_000_000, 500_000_000
# What is left for everything else on this machine.
_SPARE_BYTES = 500_000_000


class PiperBackend:
    """Speaks with Piper's models, one thread a chunk and one core a thread.

    `load` makes a model of its two files; `bundled` finds voices that came as packages. `steady`
    leaves out all chance, so that the same text always gives the same samples. `cores` and
    `free_bytes` stand for this machine's.
    """

    name = "piper"

    def __init__(
        self,
        settings: Settings,
        *,
        load: Callable[[Path, Path], Model] = PiperModel,
        bundled: Callable[[], tuple[LocalVoice, ...]] = find_bundled,
        steady: bool = False,
        cores: int | None = None,
        free_bytes: int | None = None,
    ) -> None:
        self._folders = list_folders(settings)
        self._load = load
        self._bundled = bundled
        self._steady = steady
        count = _fitting(cores or _cores(), free_bytes or find_free_memory())
        self.limits = Limits(start=count, most=count)
        # Its own: asyncio's threads are few, and the cache needs them. They are made when needed;
        # how many that are is for the caller's limit.
        self._threads = ThreadPoolExecutor(_MOST_THREADS, "piper")
        self._lock = threading.Lock()
        self._found: dict[str, LocalVoice] = {}
        self._models: dict[Path, Model] = {}
        self._hashes: dict[tuple[Path, int, int], str] = {}

    def fingerprint(self, voice: Voice) -> str:
        """Hashes of the model and its settings, the speaker, and the pauses. Raises BackendRefused
        for a voice that is not here."""
        local, speaker = self._chosen(voice)
        hashes = f"{self._hash(local.model)[:32]} {self._hash(local.config)[:16]}"
        chance = " steady" if self._steady else ""
        return f"piper {hashes} speaker {speaker or 0} pauses {PAUSES}{chance}"

    def prepare(self, text: str, voice: Voice) -> str:
        """The utterances of `text` as the model is given them, a line each."""
        return _prepared(text, self._chosen(voice)[0].language)

    async def health(self) -> Health:
        """Whether Piper can be imported and a voice is here; loads no model."""
        return await asyncio.to_thread(self._health)

    async def voices(self) -> tuple[VoiceInfo, ...]:
        """All voices here; of a model with many speakers only the first, with their number."""
        found = await asyncio.to_thread(self._look)
        return tuple(info for local in found.values() for info in describe_voices(local))

    async def speak(self, text: str, voice: Voice) -> Speech:
        """PCM with a mark for each word and sentence. A speaker is named after a "#"."""
        stopped = threading.Event()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._speak, text, voice, stopped)
        except asyncio.CancelledError:
            stopped.set()
            raise

    async def aclose(self) -> None:
        """Lets go of the models."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._models.clear()

    def _health(self) -> Health:
        try:
            import piper  # noqa: F401  # whether it can be imported is the question
        except ImportError as error:
            return Health(usable=False, detail=f"Piper is not installed ({error})", fix=INSTALL)
        found = self._look()
        if not found:
            fix = f"{INSTALL}, or: tts-book voices install NAME"
            return Health(usable=False, detail="Piper has no voice here", fix=fix)
        count = self.limits.most
        memory_gb = (_BASE_BYTES + count * _BYTES_AT_ONCE) / 1e9
        voices = (
            f"Piper, {len(found)} {'voice' if len(found) == 1 else 'voices'}: {shorten_list(found)}"
        )
        detail = f"{voices}; {count} at once, up to {memory_gb:.1f} GB of memory"
        return Health(usable=True, detail=detail)

    def _look(self) -> dict[str, LocalVoice]:
        found = {voice.id: voice for voice in self._bundled()}
        found |= {voice.id: voice for voice in find_installed(self._folders)}
        if found != self._found:
            here = ", ".join(str(folder) for folder in self._folders)
            _LOG.debug("%s: those that pip brought, and in %s", shorten_list(found), here)
        self._found = found
        return found

    def _chosen(self, voice: Voice) -> tuple[LocalVoice, int | None]:
        if voice.pitch_hz:
            raise misconfigured(
                "Piper cannot change the pitch of a voice. Leave --pitch out, or set pitch = 0 for "
                f'"{voice.name}".'
            )
        name, sign, speaker = voice.id.partition(SPEAKER_SIGN)
        local = self._found.get(name) or self._look().get(name)
        if local is None:
            raise refuse_unknown(voice.id, self._found)
        if not sign:
            return local, None
        return local, find_speaker(local, speaker)

    def _hash(self, path: Path) -> str:
        try:
            state = path.stat()
            key = path, state.st_size, state.st_mtime_ns
            if key not in self._hashes:
                self._hashes[key] = _sha256(path)
            return self._hashes[key]
        except OSError as error:
            raise misconfigured(
                f"The voice file {path} cannot be read: {error.strerror}."
            ) from error

    def _model(self, local: LocalVoice) -> Model:
        with self._lock:
            if local.model not in self._models:
                self._check(local)
                _LOG.debug("loads %s with %s", local.model, local.config)
                self._models[local.model] = self._load(local.model, local.config)
            return self._models[local.model]

    def _check(self, local: LocalVoice) -> None:
        if local.sha256 and self._hash(local.model) != local.sha256:
            raise misconfigured(
                f"The voice {local.id} that is installed is not the one that was published. "
                f"Fix: {INSTALL} --force-reinstall"
            )

    def _speak(self, text: str, voice: Voice, stopped: threading.Event) -> Speech:
        local, speaker = self._chosen(voice)
        model = self._model(local)
        _LOG.debug("%s speaks %d characters with %s", voice.id, len(text), local.model)
        slowness = 1 / max(0.1, 1 + voice.rate_pct / 100)
        delivery = Delivery(slowness, max(0.0, 1 + voice.volume_pct / 100), speaker, self._steady)
        assembly = Assembly(text, model.rate_hz, slowness)
        for paragraph, its_pieces in find_utterances(text, local.language):
            for piece in its_pieces:
                if stopped.is_set():
                    return assembly.speech()
                said = paragraph.text[piece.start : piece.stop]
                assembly.add(paragraph, piece, model.speak(said, delivery))
            assembly.end_paragraph()
        speech = assembly.speech()
        return speech if speech.audio else _nothing(text, model.rate_hz)


def find_utterances(
    text: str, language: str
) -> Iterator[tuple[SayableParagraph, list[SentencePart]]]:
    """The paragraphs of `text` made sayable, each with the parts that the model is given."""
    has_points = has_ordinal_points(language)
    for paragraph in make_sayable(text, language):
        yield paragraph, split_paragraph(paragraph.text, has_points)


@lru_cache(maxsize=8_192)  # a plan asks twice: what is in the cache, and by which key
def _prepared(text: str, language: str) -> str:
    return "\n\n".join(
        "\n".join(f"{piece.after}: {paragraph.text[piece.start : piece.stop]}" for piece in found)
        for paragraph, found in find_utterances(text, language)
    )


def _nothing(text: str, rate_hz: int) -> Speech:
    if any(map(str.isalnum, text)):
        raise BackendIncomplete("Piper gave no sound for this text.", Failure.NO_AUDIO)
    return Speech(bytes(2 * (rate_hz * _SILENCE_MS // 1_000)), "pcm", rate_hz)


def _sha256(path: Path) -> str:
    sum_ = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            sum_.update(block)
    return sum_.hexdigest()


def _fitting(cores: int, free_bytes: int | None) -> int:
    """How many utterances at once: one a core, as far as memory reaches."""
    if free_bytes is None:
        return cores
    room = (free_bytes - _SPARE_BYTES - _BASE_BYTES) // _BYTES_AT_ONCE
    return max(1, min(cores, room))


def _cores() -> int:
    """Cores that this process may use; `os.process_cpu_count` came with Python 3.13."""
    count: Callable[[], int | None] = getattr(os, "process_cpu_count", os.cpu_count)
    return count() or 1


_UNLIMITED_BYTES = 1 << 60


def find_free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that are free now, also within a container's limit; None where that is unknown. `root`
    stands for the file system."""
    if sys.platform == "win32":
        return _windows_bytes()
    known = [found for found in (_meminfo(root), _group_bytes(root)) if found is not None]
    return min(known, default=None) if known else _physical_bytes()


def _meminfo(root: Path) -> int | None:
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable" and value.split()[:1] and value.split()[0].isdigit():
            return int(value.split()[0]) * 1_024
    return None


def _group_bytes(root: Path) -> int | None:
    """What a container's limit leaves, by either version of control groups."""
    for folder, most, now in (
        ("sys/fs/cgroup", "memory.max", "memory.current"),
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        limit, used = (_text(root / folder / name).strip() for name in (most, now))
        if limit.isdigit() and used.isdigit() and int(limit) < _UNLIMITED_BYTES:
            return max(0, int(limit) - int(used))
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""


def _physical_bytes() -> int | None:
    """Half of all the memory there is, where the free part is not known."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return None


def _windows_bytes() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 5),
        )

    status = Status(length=ctypes.sizeof(Status))
    windll = getattr(ctypes, "windll", None)
    if windll is None or not windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.available)


def make(settings: Settings) -> PiperBackend:
    """The backend with the voices that `settings` lead to."""
    return PiperBackend(settings)
