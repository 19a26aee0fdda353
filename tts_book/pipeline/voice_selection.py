"""Which voice speaks a book: decided once, before the first word.

A named voice is taken at its word. Without one, the candidates of voices.toml for the book's
language are asked in their order (online first), except that a book that is half spoken stays
with the voice that spoke it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from tts_book.backends import Backend, Health, VoiceInfo, names
from tts_book.config.cast import Cast
from tts_book.config.voices import Config, can_speak
from tts_book.errors import BackendError, TtsBookError, UserError
from tts_book.model import Voice
from tts_book.pipeline.casting import voice_name
from tts_book.text.language_tags import describe_language, primary_language

# Short chunks (a heading, "Yes.") may be in the cache because another book has them too;
# only longer ones show that this book was begun with a voice.
TELLING_CHARACTERS = 200
# Ids that are so much alike differ by a slip: ru-RU-DmitriNeural.
LIKE_A_SLIP = 0.85


AUTO = "auto"


@dataclass(frozen=True, slots=True)
class VoiceRequest:
    """What the user asked for: names or None where nothing was said. `wait`: begin also with an
    online service that does not answer yet."""

    voice: str = ""
    backend: str = AUTO
    rate_pct: int | None = None
    pitch_hz: int | None = None
    volume_pct: int | None = None
    wait: bool = False

    def apply(self, voice: Voice) -> Voice:
        """`voice` with the changes that were asked for."""
        return replace(
            voice,
            rate_pct=voice.rate_pct if self.rate_pct is None else self.rate_pct,
            pitch_hz=voice.pitch_hz if self.pitch_hz is None else self.pitch_hz,
            volume_pct=voice.volume_pct if self.volume_pct is None else self.volume_pct,
        )


@dataclass(frozen=True, slots=True)
class ChosenVoice:
    """The voice of a book, its backend, and the one line that says why. `fallback` are voices
    that may take over whole chapters, each with the way to its backend."""

    voice: Voice
    backend: Backend
    why: str
    fallback: tuple[tuple[Voice, Callable[[str], Backend]], ...] = ()


@dataclass(frozen=True, slots=True)
class SpokenShare:
    """How much of a book a voice has spoken already: chunks that show it, whether it is all, and
    `chunks` of `of`."""

    telling: int
    whole: bool
    chunks: int = 0
    of: int = 0


# Called in a thread: it goes through all of a book.
Count = Callable[[Voice, Backend], SpokenShare]


class VoiceChooser:
    """Chooses voices; asks each backend for its health once a run.

    `backend_of` makes (or finds) a backend by name, `config` are the voices.
    """

    def __init__(self, config: Config, backend_of: Callable[[str], Backend]) -> None:
        self._config = config
        self._backend_of = backend_of
        self._healths: dict[str, Health] = {}

    def request_for(
        self, request: VoiceRequest, cast: Cast | None, role: str, other_language: str = ""
    ) -> VoiceRequest:
        """What is asked for a role: the voice of the cast, unless another engine is asked for (as
        for a rehearsal) or a chapter is in another language than the book's, which that voice does
        not speak; the narrator's may be given with --voice."""
        name = cast.narrator if cast and not role else voice_name(cast, role) if cast else ""
        if not name or (request.voice and not role):
            return request
        voice = self._config.resolve(name)
        if other_language and voice.language and not can_speak(voice, other_language):
            return request
        if request.backend not in (AUTO, "", voice.backend):
            return request
        if not role:
            return replace(request, voice=name)
        return VoiceRequest(voice=name, backend=request.backend, wait=request.wait)

    async def cast(self, request: VoiceRequest, language: str, spoken: Count) -> ChosenVoice:
        """The cast for a book in `language`. Raises UserError, or EngineGone."""
        chosen = await self._chosen(request, language, spoken)
        taking_over = [self._config.voice(name) for name in chosen.voice.fallback]
        for voice in taking_over:
            refuse_other_language(voice, language)
        return replace(
            chosen, fallback=tuple((request.apply(v), self._backend_of) for v in taking_over)
        )

    async def _chosen(self, request: VoiceRequest, language: str, spoken: Count) -> ChosenVoice:
        if request.voice:
            return await self._named(request, language, spoken)
        voices = [request.apply(voice) for voice in self._candidates(request, language)]
        begun = await self._begun(_could_have_begun(voices), spoken)
        if begun is not None:
            return await self._go_on(begun, request, voices)
        return await self._first_usable(voices, language, request)

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
            if not health.usable:
                problems[name] = health
                continue
            try:
                found += await self._backend_of(name).voices()
            except BackendError as error:
                problems[name] = Health(False, str(error))
        return tuple(found), problems

    def _candidates(self, request: VoiceRequest, language: str) -> Sequence[Voice]:
        if request.backend in (AUTO, ""):
            return self._config.candidates(language)
        self._backend_of(request.backend)  # an unknown name is reported before all else
        return [v for v in self._config.candidates(language) if v.backend == request.backend]

    async def _named(self, request: VoiceRequest, language: str, spoken: Count) -> ChosenVoice:
        voice = request.apply(self._config.resolve(request.voice, request.backend))
        if request.backend not in (AUTO, "", voice.backend):
            raise UserError(
                f'The voice "{request.voice}" belongs to the backend {voice.backend}, '
                f"not to {request.backend}: leave one of the two options out."
            )
        refuse_other_language(voice, language)
        backend = self._backend_of(voice.backend)
        health = await self._unless_spoken(voice, backend, spoken)
        if health is None:
            return ChosenVoice(voice, backend, "everything is spoken already")
        if not health.usable:
            if _may_wait(request, voice):
                return ChosenVoice(voice, backend, explain_waiting(health))
            if await self._begun([voice], spoken):
                raise engine_gone(voice, health)
            raise _make_error(voice.backend == ONLINE, explain_unusable(voice, health))
        if voice.id not in {known.id for known in self._config.voices.values()}:
            await _refuse_unknown(backend, voice)
        return ChosenVoice(voice, backend, health.detail)

    async def _unless_spoken(self, voice: Voice, backend: Backend, spoken: Count) -> Health | None:
        """The health of the backend, None where it is not needed any more. Raises UserError for a
        voice that it does not have."""
        try:
            whole = (await asyncio.to_thread(spoken, voice, backend)).whole
        except BackendError as error:
            health = await self.health(voice.backend)
            if not health.usable:
                return health
            raise UserError(
                f"{error} All voices: tts-book voices --backend {voice.backend}"
            ) from error
        return None if whole else await self.health(voice.backend)

    async def _begun(
        self, voices: Sequence[Voice], spoken: Count
    ) -> tuple[Voice, Backend, SpokenShare] | None:
        best: tuple[Voice, Backend, SpokenShare] | None = None
        for voice in voices:
            try:
                backend = self._backend_of(voice.backend)
                share = await asyncio.to_thread(spoken, voice, backend)
            except (BackendError, UserError):
                continue  # cannot have spoken anything that this machine could go on with
            if share.telling and (best is None or share.telling > best[2].telling):
                best = (voice, backend, share)
        return best

    async def _go_on(
        self,
        begun: tuple[Voice, Backend, SpokenShare],
        request: VoiceRequest,
        candidates: Sequence[Voice],
    ) -> ChosenVoice:
        voice, backend, share = begun
        if share.whole:
            return ChosenVoice(voice, backend, "everything is spoken already")
        health = await self.health(voice.backend)
        if not health.usable:
            if _may_wait(request, voice):
                return ChosenVoice(voice, backend, explain_waiting(health))
            raise engine_gone(voice, health)
        return ChosenVoice(voice, backend, await self._explain_going_on(voice, share, candidates))

    async def _explain_going_on(
        self, voice: Voice, share: SpokenShare, candidates: Sequence[Voice]
    ) -> str:
        """That a voice goes on with its book, and how the usual one gets it where it was only
        away when the book was begun."""
        begun = f"this voice has begun the book, {share.chunks:,} of {share.of:,} chunks"
        usual = candidates[0]
        if usual.name == voice.name or not (await self.health(usual.backend)).usable:
            return begun
        return (
            f"{begun}; the usual voice, {usual.name}, can be reached again: to have all of it "
            f"spoken by {usual.name}, add --voice {usual.name}"
        )

    async def _first_usable(
        self, voices: Sequence[Voice], language: str, request: VoiceRequest
    ) -> ChosenVoice:
        reasons: dict[str, str] = {}
        unlisted: ChosenVoice | None = None
        for voice in voices:
            health = await self.health(voice.backend)
            if not health.usable:
                reasons.setdefault(voice.backend, health.detail)
                continue
            backend = self._backend_of(voice.backend)
            if not await _offers_voice(backend, voice):
                online = voice.backend == ONLINE
                missing = "is not listed" if online else "is not installed"
                reasons.setdefault(f"{voice.backend} voice {voice.id}", missing)
                if online and unlisted is None:
                    unlisted = ChosenVoice(voice, backend, health.detail)
                continue
            return ChosenVoice(voice, backend, explain_choice(health, reasons))
        installed = await self._installed(request, language, reasons)
        if installed is not None:
            return installed
        if unlisted is not None:
            return unlisted  # the service answers, and its list may not be all it has
        for voice in voices:
            if _may_wait(request, voice):
                health = await self.health(voice.backend)
                return ChosenVoice(voice, self._backend_of(voice.backend), explain_waiting(health))
        away = ONLINE in reasons and any(voice.backend == ONLINE for voice in voices)
        message = explain_no_voice(language, reasons, voices, request.backend, self._healths)
        raise _make_error(away, message)

    async def _installed(
        self, request: VoiceRequest, language: str, reasons: dict[str, str]
    ) -> ChosenVoice | None:
        """A voice on this machine that voices.toml does not name. A robot and silence speak only
        when their backend is named."""
        unasked = request.backend in (AUTO, "")
        for name in names() if unasked else (request.backend,):
            if unasked and name == ONLINE:
                continue
            health = await self.health(name)
            if not health.usable:
                reasons.setdefault(name, health.detail)
                continue
            backend = self._backend_of(name)
            offered = [i for i in await backend.voices() if not (unasked and i.only_named)]
            found = _best_voice(offered, language)
            if found is not None:
                return ChosenVoice(request.apply(found), backend, health.detail)
        return None


def _best_voice(offered: Sequence[VoiceInfo], language: str) -> Voice | None:
    """The plainest voice of the language, or one of any language."""
    fits = [
        i for i in offered if primary_language(i.language) in (primary_language(language), "und")
    ]
    if not fits:
        return None
    best = min(fits, key=lambda info: (info.language == "und", len(info.id), info.id))
    tongue = language if best.language == "und" else best.language
    return Voice(best.id, best.backend, best.id, tongue)


def _may_wait(request: VoiceRequest, voice: Voice) -> bool:
    return request.wait and voice.backend == ONLINE


def _could_have_begun(voices: Sequence[Voice]) -> list[Voice]:
    """Those that could have begun a book unasked: the online service has all its voices at any
    time, so only the first; of local ones any may have been the only one that was installed."""
    online = [voice for voice in voices if voice.backend == ONLINE]
    return online[:1] + [voice for voice in voices if voice.backend != ONLINE]


def refuse_other_language(voice: Voice, language: str) -> None:
    """Raises UserError if the voice would read a foreign language as gibberish."""
    if voice.language and not can_speak(voice, language):
        raise UserError(
            f'The voice "{voice.name}" speaks {voice.language} and the book is in '
            f"{describe_language(language)}: choose another "
            f"(tts-book voices --language {primary_language(language)}), or say "
            f"what the book is in with --language {primary_language(voice.language)}."
        )


async def _offers_voice(backend: Backend, voice: Voice) -> bool:
    """Whether the backend has this voice; an online service whose list cannot be had is taken at
    its word later."""
    try:
        offered = await backend.voices()
    except BackendError:
        return backend.name == ONLINE
    if backend.name == ONLINE and not offered:
        return True
    return any(info.id == voice.id for info in offered)


async def _refuse_unknown(backend: Backend, voice: Voice) -> None:
    """Raises UserError for a slip in the id of a voice of the online service. An id that is like
    none in its list is taken at its word: the list changes, and not all that it has is in it."""
    if backend.name != ONLINE or await _offers_voice(backend, voice):
        return
    listed = [info.id for info in await backend.voices()]
    close = get_close_matches(voice.id, listed, n=3, cutoff=LIKE_A_SLIP)
    if close:
        raise UserError(
            f'The online service has no voice "{voice.id}". Did you mean {" or ".join(close)}? '
            "All: tts-book voices"
        )


ONLINE = "edge"


class EngineGone(TtsBookError):
    """The engine that should speak, or has begun to, does not answer now: exit 1."""


def _make_error(away: bool, message: str) -> EngineGone | UserError:
    """No voice: the user's to fix, or, where the online service is `away`, a matter of time."""
    return EngineGone(message) if away else UserError(message)


def explain_waiting(health: Health) -> str:
    """Why a service that does not answer is taken all the same."""
    return f"{health.detail}; this voice speaks once the service answers"


def engine_gone(voice: Voice, health: Health) -> EngineGone:
    """The book's engine is away."""
    return EngineGone(
        f"This book is half spoken by {voice.name} ({voice.backend}), which cannot go on now: "
        f"{health.detail}. Run the same command again when it answers, or start again with another "
        "voice: --voice NAME."
    )


def explain_choice(health: Health, reasons: Mapping[str, str]) -> str:
    """Why this voice, and what kept those before it away."""
    if not reasons:
        return health.detail
    passed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return f"{health.detail} ({passed})"


def explain_unusable(voice: Voice, health: Health) -> str:
    """A named voice that cannot speak now."""
    fix = f" {health.fix}" if health.fix else ""
    return f'The voice "{voice.name}" cannot speak now: {health.detail}.{fix}'


def explain_no_voice(
    language: str,
    reasons: Mapping[str, str],
    voices: Sequence[Voice],
    asked: str,
    healths: Mapping[str, Health],
) -> str:
    """No voice can speak this language, with suggestions."""
    tried = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    ways = "; or ".join(_ways_out(voices, asked, healths))
    return (
        f"No voice here can speak {describe_language(language)} now "
        f"({tried or 'voices.toml names none'}). "
        f"You can {ways}."
    )


def _ways_out(voices: Sequence[Voice], asked: str, healths: Mapping[str, Health]) -> Iterator[str]:
    """What would help with the backend that was asked for, or with any."""
    if asked in (AUTO, "", ONLINE):
        yield "go online"
    if asked in (AUTO, "", "piper"):
        piper = healths.get("piper")
        fix = piper.fix if piper and not piper.usable else ""
        first = f"{fix}, then " if fix and "voices install" not in fix else ""
        local = next((voice.id for voice in voices if voice.backend == "piper"), "--list")
        yield f"{first}run tts-book voices install {local}"
    if asked == "espeak" and (robot := healths.get(asked)) and robot.fix:
        yield robot.fix
    if asked == ONLINE:
        yield "leave --backend out"
    if asked != "espeak":
        yield "use a robotic voice with --backend espeak"
    else:
        yield "leave --backend out"
