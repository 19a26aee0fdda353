"""Which voice speaks a book: decided once, before the first word.

A named voice is taken at its word. Without one, the candidates of voices.toml for the book's
language are asked in their order (online first), except that a book that is half spoken stays
with the voice that spoke it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tts_book.backends import Backend, Health, VoiceInfo, names
from tts_book.errors import BackendError, TtsBookError, UserError
from tts_book.model import Voice
from tts_book.voices import Config

AUTO = "auto"
ONLINE = "edge"
# Short chunks (a heading, "Yes.") may stand in the cache because another book has them too;
# only longer ones show that this book was begun with a voice.
TELLING_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for: names or None where nothing was said."""

    voice: str = ""
    backend: str = AUTO
    rate_pct: int | None = None
    pitch_hz: int | None = None
    volume_pct: int | None = None

    def applied(self, voice: Voice) -> Voice:
        """`voice` with the changes that were asked for."""
        asked = {
            "rate_pct": self.rate_pct,
            "pitch_hz": self.pitch_hz,
            "volume_pct": self.volume_pct,
        }
        return replace(voice, **{name: value for name, value in asked.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Cast:
    """The voice of a book, its backend, and the one line that says why."""

    voice: Voice
    backend: Backend
    why: str


class EngineGone(TtsBookError):
    """The book is half spoken and the engine that spoke it does not answer: exit 1."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """How much of a book a voice has spoken already: telling chunks, and whether it is all."""

    telling: int
    whole: bool


Ask = Callable[[str], Awaitable[Health]]
Count = Callable[[Voice, Backend], Spoken]


class Casting:
    """Chooses voices; asks each backend for its health once a run.

    `backend_of` makes (or finds) a backend by name, `config` are the voices.
    """

    def __init__(self, config: Config, backend_of: Callable[[str], Backend]) -> None:
        self._config = config
        self._backend_of = backend_of
        self._healths: dict[str, Health] = {}

    async def cast(self, wish: Wish, language: str, spoken: Count) -> Cast:
        """The cast for a book in `language`. Raises UserError, or EngineGone."""
        if wish.voice:
            return await self._named(wish, language, spoken)
        voices = [wish.applied(voice) for voice in self._candidates(wish, language)]
        begun = self._begun(voices, spoken)
        if begun is not None:
            return await self._go_on(begun, spoken)
        return await self._first_usable(voices, language, wish)

    async def health(self, name: str) -> Health:
        """The health of the backend called `name`, asked once."""
        if name not in self._healths:
            try:
                self._healths[name] = await self._backend_of(name).health()
            except (BackendError, UserError) as error:
                self._healths[name] = Health(False, str(error))
        return self._healths[name]

    async def offered(
        self, chosen: Sequence[str]
    ) -> tuple[tuple[VoiceInfo, ...], dict[str, Health]]:
        """All voices of the backends that can speak now, and the health of those that cannot."""
        found: list[VoiceInfo] = []
        problems: dict[str, Health] = {}
        for name in chosen:
            health = await self.health(name)
            if health.usable:
                found += await self._backend_of(name).voices()
            else:
                problems[name] = health
        return tuple(found), problems

    def _candidates(self, wish: Wish, language: str) -> Sequence[Voice]:
        if wish.backend in (AUTO, ""):
            return self._config.candidates(language)
        self._backend_of(wish.backend)  # an unknown name is told before all else
        found = [v for v in self._config.candidates(language) if v.backend == wish.backend]
        return found or [any_voice(wish.backend, language)]

    async def _named(self, wish: Wish, language: str, spoken: Count) -> Cast:
        voice = wish.applied(self._config.resolve(wish.voice))
        if wish.backend not in (AUTO, "", voice.backend):
            raise UserError(
                f'The voice "{wish.voice}" belongs to the backend {voice.backend}, '
                f"not to {wish.backend}: leave one of the two options out."
            )
        refuse_other_language(voice, language)
        backend = self._backend_of(voice.backend)
        if spoken(voice, backend).whole:
            return Cast(voice, backend, "everything is spoken already")
        health = await self.health(voice.backend)
        if not health.usable:
            raise UserError(_cannot(voice, health))
        return Cast(voice, backend, health.detail)

    def _begun(self, voices: Sequence[Voice], spoken: Count) -> tuple[Voice, Backend] | None:
        best: tuple[int, Voice, Backend] | None = None
        for voice in voices:
            try:
                backend = self._backend_of(voice.backend)
                telling = spoken(voice, backend).telling
            except (BackendError, UserError):
                continue  # cannot have spoken anything that this machine could go on with
            if telling and (best is None or telling > best[0]):
                best = (telling, voice, backend)
        return best[1:] if best else None

    async def _go_on(self, begun: tuple[Voice, Backend], spoken: Count) -> Cast:
        voice, backend = begun
        if spoken(voice, backend).whole:
            return Cast(voice, backend, "everything is spoken already")
        health = await self.health(voice.backend)
        if not health.usable:
            raise EngineGone(
                f"This book is half spoken by {voice.name} ({voice.backend}), which cannot go on "
                f"now: {health.detail}. Run the same command again when it answers, or begin anew "
                "with another voice: --voice NAME."
            )
        return Cast(voice, backend, "this voice has begun the book")

    async def _first_usable(self, voices: Sequence[Voice], language: str, wish: Wish) -> Cast:
        reasons: dict[str, str] = {}
        for voice in voices:
            health = await self.health(voice.backend)
            if not health.usable:
                reasons.setdefault(voice.backend, health.detail)
                continue
            backend = self._backend_of(voice.backend)
            if not await _offers(backend, voice):
                reasons.setdefault(f"{voice.backend} voice {voice.id}", "is not installed")
                continue
            return Cast(voice, backend, _why(health, reasons))
        installed = await self._installed(wish, language)
        if installed is not None:
            return installed
        raise UserError(_nobody(language, reasons, voices))

    async def _installed(self, wish: Wish, language: str) -> Cast | None:
        """A voice on this machine that voices.toml does not name; a note marks those that are
        used only when they are named (robotic, silent)."""
        chosen = names() if wish.backend in (AUTO, "") else (wish.backend,)
        for name in chosen:
            if name == ONLINE or not (await self.health(name)).usable:
                continue
            backend = self._backend_of(name)
            for info in await backend.voices():
                if _primary(info.language) == _primary(language) and not info.note:
                    voice = wish.applied(Voice(info.id, name, info.id, info.language))
                    return Cast(voice, backend, f"the {name} voice that is installed")
        return None


def any_voice(backend: str, language: str) -> Voice:
    """The voice of an engine that needs no name: its own for `language`."""
    return Voice(backend, backend, language, language)


def refuse_other_language(voice: Voice, language: str) -> None:
    """Raises UserError if the voice would read a foreign language as gibberish."""
    if not voice.language or "multilingual" in voice.id.casefold():
        return
    if _primary(voice.language) != _primary(language):
        raise UserError(
            f'The voice "{voice.name}" speaks {voice.language} and the book is in {language}: '
            f"choose another (tts-book voices --language {_primary(language)}), or say what the "
            f"book is in with --language {_primary(voice.language)}."
        )


async def _offers(backend: Backend, voice: Voice) -> bool:
    """Whether a local engine has this voice; an online service is taken at its word later."""
    if backend.name == ONLINE:
        return True
    offered = await backend.voices()
    return voice == any_voice(backend.name, voice.language) or any(
        info.id == voice.id for info in offered
    )


def _why(health: Health, reasons: Mapping[str, str]) -> str:
    if not reasons:
        return health.detail
    passed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return f"{health.detail} ({passed})"


def _cannot(voice: Voice, health: Health) -> str:
    mend = f" {health.mend}" if health.mend else ""
    return f'The voice "{voice.name}" cannot speak now: {health.detail}.{mend}'


def _nobody(language: str, reasons: Mapping[str, str], voices: Sequence[Voice]) -> str:
    tried = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    local = next((voice.id for voice in voices if voice.backend == "piper"), "")
    install = f"tts-book voices install {local}" if local else "tts-book voices install --list"
    return (
        f"No voice here can speak {language} now ({tried or 'voices.toml names none'}). "
        f"Ways out: go online; install a voice with: {install}; or take a robotic one with "
        "--backend espeak."
    )


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].casefold()
