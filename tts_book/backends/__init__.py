"""Speech engines: their contract, and where backends are found.

A backend is made by a factory `(Settings) -> Backend`. Built-in ones stand in `BUILT_IN`; others
are found in the entry-point group `tts_book.backends`. A backend's module is imported only when
that backend is requested.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, runtime_checkable

from tts_book.backends.network import parse_proxy
from tts_book.errors import UserError
from tts_book.model import Doubt, Sound, Speech, Voice

BUILT_IN = {
    "edge": "tts_book.backends.edge.backend:make",
    "piper": "tts_book.backends.piper.backend:make",
    "openai": "tts_book.backends.openai.backend:make",
    "espeak": "tts_book.backends.espeak:make",
    "silent": "tts_book.backends.silent:make",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How many chunks at once: to start with, and at most; and the least time between two starts
    (0 for engines on this machine). `online`: a service counts all that comes from one network
    address."""

    start: int
    most: int
    spacing_s: float = 0.0
    online: bool = False


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice that a backend offers. `language` is BCP 47 ("und": any), `gender` "male", "female"
    or "". `only_named`: no listener would choose it, so it speaks only when it is named."""

    backend: str
    id: str
    language: str
    gender: str = ""
    note: str = ""
    only_named: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a backend can speak now: `detail` is one line, `fix` what to do where it cannot."""

    usable: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a backend may need from outside. `voices_dirs` are searched in order for local voices;
    `proxy` is a URL or ""; `environ` stands for the process's environment; `voices` are those of
    voices.toml, for backends whose servers it names, `tables` the tables of that file that are
    named like backends. What happens inside goes to
    `logging.getLogger(f"tts_book.{name}")`."""

    voices_dirs: tuple[Path, ...] = ()
    proxy: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    voices: tuple[Voice, ...] = ()
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises UserError for a proxy that is no address."""
        if self.proxy:
            parse_proxy(self.proxy)


class Backend(Protocol):
    """A speech service. `speak` raises only our `BackendError`s; `aclose` may be called once."""

    name: str
    limits: Limits

    def fingerprint(self, voice: Voice) -> str:
        """Changes only when the same text would sound otherwise."""
        ...

    async def health(self) -> Health:
        """Asks, within a few seconds, whether this backend can speak now."""
        ...

    async def voices(self) -> tuple[VoiceInfo, ...]:
        """All voices that can be used now."""
        ...

    async def speak(self, text: str, voice: Voice) -> Speech:
        """Speaks `text` (never blank) as one answer, complete or not at all."""
        ...

    async def aclose(self) -> None:
        """Lets go of connections and models."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A backend that rewrites texts before it speaks them."""

    def prepare(self, text: str, voice: Voice) -> str:
        """What is really said of `text`, in a form of the backend's own: a cache key is made on it
        as well, so that a changed rule speaks only those texts again that it changes."""
        ...


@dataclass(frozen=True, slots=True)
class DiagnosisStep:
    """One step of a diagnosis: `found` is one line, `fix` what to do where it is not `well`."""

    well: bool
    name: str
    found: str
    fix: str = ""


@runtime_checkable
class Diagnosing(Protocol):
    """A backend that can show what its service does today, step by step."""

    def diagnose(self, voice: Voice) -> AsyncIterator[DiagnosisStep]:
        """Speaks one sentence, with `voice` where that reads it. The last step is the first that
        failed, if one did. Nothing in it is secret."""
        ...


@runtime_checkable
class Preconnecting(Protocol):
    """A backend that can get ready for a request while it answers another."""

    def preconnect(self) -> None:
        """Another request follows the next one."""
        ...


# Backends whose replies can be wrong
#
# A reply of such a backend is heard, examined (in a thread) and judged. Judging may have to wait
# for other replies of the same voice: what they all show is a trait of the voice, what few show may
# be damage. The caller has faulty replies spoken again, and reports what that proved.

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SoundFinding:
    """A sign that sound may be missing: its `kind` (equal for signs of the same sort) and a few
    words for people. `certain`: a reply that shows it to the last is not used. `damage`: bytes are
    missing or wrong, which no way to sound explains. `spans` are the characters of the sent text
    that seem not to be spoken, `suspected` those of a kind of which the voice seems to say none."""

    kind: str
    what: str
    certain: bool = True
    damage: bool = False
    spans: tuple[Span, ...] = ()
    suspected: frozenset[Span] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reply and what may be missing from it. `speech_s` is how long somebody speaks in it."""

    speech: Speech
    sound: Sound
    speech_s: float
    findings: tuple[SoundFinding, ...] = ()

    @property
    def kinds(self) -> frozenset[str]:
        """The sorts of its findings."""
        return frozenset(finding.kind for finding in self.findings)

    @property
    def reasons(self) -> str:
        """All findings in one line."""
        return "; ".join(finding.what for finding in self.findings)


@dataclass(frozen=True, slots=True)
class ProofTexts:
    """Two short texts whose sound tells whether `spans` of a reply's text are spoken: one with
    these characters, one without them."""

    with_words: str
    without_words: str
    spans: tuple[Span, ...]


class Examined(Protocol):
    """A reply, measured; only its backend looks inside."""


class Heard(Protocol):
    """A reply as it came, all of it."""

    def examine(self) -> Examined:
        """Measures the reply; takes a while, for a thread. Raises BackendIncomplete where there is
        no sound in it that could be used."""
        ...


@runtime_checkable
class JudgingBackend(Protocol):
    """A backend that judges its replies by what their voice always does."""

    async def hear(self, text: str, voice: Voice) -> Heard:
        """One request. Raises BackendError where no complete answer comes."""
        ...

    def enter(self, examined: Examined) -> None:
        """Counts a reply among those of its voice."""
        ...

    def judge(self, examined: Examined) -> Verdict | None:
        """What may be missing from the reply; None as long as too few are known of its voice."""
        ...

    def settle(self) -> None:
        """No more replies will come for now: from here on the voices are judged by those known."""
        ...

    def proof_texts(
        self, examined: Examined, span: Span, others: Sequence[Span]
    ) -> ProofTexts | None:
        """Texts that tell whether these characters of the reply's text are spoken, and those of
        the `others` that stand near to them. None where nothing else would be left."""
        ...

    def prove_unspoken(self, examined: Examined, span: Span) -> None:
        """The sound with and without these characters is the same: the voice does not say them."""
        ...

    def prove_spoken(self, examined: Examined, span: Span) -> None:
        """These characters are heard although the marks leave them no time."""
        ...

    def prove_text(self, examined: Examined, kinds: Iterable[str]) -> None:
        """The halves of the text add up to the reply: the findings are the text's own way."""
        ...

    def says_nothing_of(self, text: str, voice: Voice, attempts: int) -> Doubt | None:
        """Whether an answer without sound, after so many attempts, is all that this voice has to
        say of `text`; the doubt names it."""
        ...

    def notes(self) -> tuple[tuple[str, str], ...]:
        """What was learned of the voices that users should know: (voice, one line)."""
        ...


# Where backends are found

Factory = Callable[[Settings], Backend]


def find_voices_dirs(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders of `$TTS_BOOK_VOICES`, separated as in PATH; ~ is the user's home."""
    named = environ.get("TTS_BOOK_VOICES", "").split(os.pathsep)
    return tuple(Path(part.strip()).expanduser() for part in named if part.strip())


def names() -> tuple[str, ...]:
    """Names of all backends that could be asked for, built-in ones first."""
    plugged = {point.name for point in entry_points(group="tts_book.backends")}
    return (*BUILT_IN, *sorted(plugged - set(BUILT_IN)))


def make(name: str, settings: Settings) -> Backend:
    """The backend called `name`. Raises UserError where there is none of that name."""
    if name in BUILT_IN:
        module, _, factory = BUILT_IN[name].partition(":")
        built: Factory = getattr(import_module(module), factory)
        return built(settings)
    for point in entry_points(group="tts_book.backends"):
        if point.name == name:
            plugged: Factory = point.load()
            return plugged(settings)
    raise UserError(f'There is no backend "{name}". Known: {", ".join(names())}.')


class Engines:
    """Backends by name, each made once and closed at the end; those in `own` are the caller's,
    who closes them."""

    def __init__(self, given: Settings, own: Sequence[Backend] = ()) -> None:
        self._settings = given
        self._own = {backend.name: backend for backend in own}
        self._made: dict[str, Backend] = {}

    def __call__(self, name: str) -> Backend:
        """The backend called `name`. Raises UserError where there is none."""
        if name in self._own:
            return self._own[name]
        if name not in self._made:
            self._made[name] = make(name, self._settings)
        return self._made[name]

    async def close(self) -> None:
        """Closes all that were made."""
        for backend in self._made.values():
            await backend.aclose()
