"""Voices of servers that speak as OpenAI's does: Kokoro-FastAPI, LocalAI, vLLM-omni and others,
on the user's own machine or elsewhere.

Each voice of voices.toml names its server. Replies have no marks unless the server also has
`/dev/captioned_speech`, so that they are checked by their sound.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import math
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from statistics import median
from typing import Any

from tts_book.audio import ReceivedSound, SpeechShape, change_volume, measure_speech, read_sound
from tts_book.backends import Health, Limits, Settings, VoiceInfo
from tts_book.backends.edge.alignment import folded, marks_of, place
from tts_book.backends.edge.protocol import TICKS_PER_MS, Boundary
from tts_book.backends.openai.client import AbsentPathError, ServerClient, find_error_text
from tts_book.errors import (
    AudioError,
    BackendError,
    BackendIncomplete,
    BackendRefused,
    BackendUnavailable,
    Failure,
    misconfigured,
)
from tts_book.model import Mark, Speech, SpeechServer, Voice
from tts_book.text.language_tags import LANGUAGE, normalize_tag
from tts_book.text.sentences import split_in_half
from tts_book.text.speech_rate import estimate_ms

LONGEST_SILENCE_MS = 3_500
# How far a voice may be from the usual speed of its language as long as its own is not known.
UNKNOWN_PACE = (0.4, 2.6)
# How far one reply may be from the voice's pace: by so many times what its replies usually stray
# (the median), at least and at most by these shares. Of a Piper voice's texts of 250 characters and
# more (median 3 to 6 %) hardly one is 13 % too short or 23 % too long.
_STRAYS_LESS, _LESS = 4.0, (0.15, 0.25)
_STRAYS_MORE, _MORE = 7.0, (0.25, 0.45)
_PACE_CHARACTERS, _PACE_SAMPLES = 60, 5
# The first replies are compared with the same text in halves, since nothing else is known; a few
# words are always spoken twice, since they take any time. By how much both may differ: a share of
# the whole, and so many ms more.
_HALVED_CHARACTERS = 200
_HALVES_MAY_DIFFER, _WORDS_MAY_DIFFER = (0.1, 400), (0.15, 100)
_LETTER_SHARE = 0.75
# Short texts are where engines babble; a few words do not take this long.
_BABBLE = 3.5
_REMEMBERED, _TRAIT_SAMPLES, _TRAIT_SHARE = 20, 4, 0.5


class VoiceTraits:
    """What is learned of one voice from its replies: its pace, and what it does in most of them."""

    def __init__(self) -> None:
        self._paces: deque[float] = deque(maxlen=100)
        self._kinds: deque[frozenset[str]] = deque(maxlen=_REMEMBERED)

    def find_fault(
        self, shape: SpeechShape, text: str, estimated_ms: int, parts_ms: Sequence[int] = ()
    ) -> str:
        """What is suspicious about a reply, "" if nothing; `estimated_ms` is how long the text
        takes in its language at this rate, `parts_ms` how long its `choose_control` took."""
        found = dict(self._list_faults(shape, text, estimated_ms))
        share, more_ms = _WORDS_MAY_DIFFER if _is_short(text) else _HALVES_MAY_DIFFER
        lengths = sorted((shape.spoken_ms, sum(parts_ms)))
        if parts_ms and lengths[1] - lengths[0] > share * lengths[1] + more_ms:
            told = " and ".join(f"{each / 1_000:.1f} s" for each in lengths)
            found["parts"] = f"its words take {told} in two recordings"
        self._kinds.append(frozenset(found))
        return next((what for kind, what in found.items() if not self._is_trait(kind)), "")

    def learn(self, shape: SpeechShape, text: str, estimated_ms: int) -> None:
        """Takes notice of a reply that was accepted."""
        if estimated_ms and _is_prose(text) and not _is_short(text):
            self._paces.append(shape.spoken_ms / estimated_ms)

    def choose_control(self, text: str) -> tuple[str, ...]:
        """What is spoken, too, where a reply can be judged by nothing else: the same words again,
        or in halves."""
        if _is_short(text):
            return (text,) if any(map(str.isalpha, text)) else ()
        if self._is_known or len(text) < _HALVED_CHARACTERS or not _is_prose(text):
            return ()
        halves = split_in_half(text)
        return (halves[0], halves[2]) if halves else ()

    def _list_faults(
        self, shape: SpeechShape, text: str, estimated_ms: int
    ) -> Iterator[tuple[str, str]]:
        if shape.ends_loud:
            yield "end", "the sound stops in the middle of speech"
        if shape.longest_silence_ms > LONGEST_SILENCE_MS:
            silence_s = shape.longest_silence_ms / 1_000
            yield "silence", f"there is a silence of {silence_s:.1f} s inside"
        if not _is_prose(text):
            return
        expected_ms, least_ms, most_ms = self._expect(text, estimated_ms)
        told = (
            f"{shape.spoken_ms / 1_000:.1f} s of speech where {expected_ms / 1_000:.1f} s are "
            "expected"
        )
        if shape.spoken_ms < least_ms:
            yield "short", told
        elif shape.spoken_ms > most_ms:
            yield "babble" if _is_short(text) else "long", told

    def _expect(self, text: str, estimated_ms: int) -> tuple[float, float, float]:
        """How long this voice speaks a text, and at least and at most (ms)."""
        expected_ms = self._pace * estimated_ms
        if _is_short(text):
            return expected_ms, 0.0, _BABBLE * expected_ms + 2_000
        less, more = UNKNOWN_PACE
        if self._is_known:
            strayed = median(abs(pace / self._pace - 1) for pace in self._paces)
            less = 1 - min(max(_STRAYS_LESS * strayed, _LESS[0]), _LESS[1])
            more = 1 + min(max(_STRAYS_MORE * strayed, _MORE[0]), _MORE[1])
        return expected_ms, less * expected_ms, more * expected_ms

    @property
    def _is_known(self) -> bool:
        return len(self._paces) >= _PACE_SAMPLES

    @property
    def _pace(self) -> float:
        return median(self._paces) if self._is_known else 1.0

    def _is_trait(self, kind: str) -> bool:
        """Whether the voice does this in most of its replies."""
        times = sum(kind in kinds for kinds in self._kinds)
        seen = len(self._kinds)
        return seen >= _TRAIT_SAMPLES and times > seen * _TRAIT_SHARE


def _is_short(text: str) -> bool:
    """Whether it is too short to have a pace."""
    return len(text) < _PACE_CHARACTERS


def _is_prose(text: str) -> bool:
    """Whether letters and blanks make up most of it: digits and signs take any time."""
    letters = sum(character.isalpha() or character.isspace() for character in text)
    return letters >= _LETTER_SHARE * len(text)


_LOG = logging.getLogger("tts_book.openai")

SPEECH, CAPTIONED = "/v1/audio/speech", "/dev/captioned_speech"
VOICES, MODELS = "/v1/audio/voices", "/v1/models"
# What OpenAI's own takes; a server that takes less says so, and is believed.
MOST_CHARACTERS = 4_096
_LEAST_CHARACTERS = 80
_NAMED_LIMIT = re.compile(r"(?<!\d)(\d{3,5})(?!\d)")
_SLOWEST, _FASTEST = 0.25, 4.0
# A slow machine takes three times as long as the sound lasts, and other texts may come first: a
# minute more for each five seconds of sound.
_PATIENCE_S, _PATIENT_MS = 60.0, 5_000
# Once it is known how long a server takes for a second of sound: so many times that.
_PATIENT_REPLIES, _PATIENT_TIMES = 5, 6.0
_CAPTION_TRIES, _HABIT_SAMPLES = 2, 4
_JOINT_MS = 400
_KOKORO = re.compile(r"(?P<tongue>[abefhijpz])(?P<gender>[fm])_\w+")
_KOKORO_TONGUES = {
    "a": "en-US", "b": "en-GB", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt-BR",
    "z": "zh",
}  # fmt: skip
_GENDERS = {"f": "female", "m": "male", "female": "female", "male": "male"}
# Two replies of an engine with chance in it differ by up to 3 % in length.
_ALIKE_SHARE, _ALIKE_MS = 0.03, 24


@dataclass(slots=True)
class _Connection:
    """What is known of a server: how to ask it, and what it can do."""

    client: ServerClient
    most_characters: int = MOST_CHARACTERS
    has_captions: bool = True
    captions_worked: bool = False
    captions_failed: int = 0
    wrong_lengths: list[bool] = field(default_factory=list)
    traits: dict[tuple[str, ...], VoiceTraits] = field(default_factory=dict)
    # Seconds from a request to its whole reply, for each second of its sound.
    slowness: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


@dataclass(frozen=True, slots=True)
class _Reply:
    """What a server sent for a text that takes `estimated_ms` in its language."""

    sound: ReceivedSound
    shape: SpeechShape
    speech: Speech
    estimated_ms: int


class OpenAIBackend:
    """Speaks through the servers that `settings.voices` name; `patience_s` is how long one may be
    silent before its answer to a text of no length. `clock` stands for the real one."""

    name = "openai"
    limits = Limits(start=2, most=8, online=True)

    def __init__(
        self,
        settings: Settings,
        *,
        patience_s: float = _PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._patience_s, self._clock = settings, patience_s, clock
        self._connections: dict[SpeechServer, _Connection] = {}

    def fingerprint(self, voice: Voice) -> str:
        """Whatever the server is sent beside the text, and its name: servers use one name for
        different voices. Raises BackendRefused for a voice without a server, or one that no
        server can speak."""
        server = _server_of(voice)
        _request(server, voice)
        told = [server.name, server.model, server.instructions, server.format, server.extra]
        return f"openai {hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]}"

    async def health(self) -> Health:
        """Whether a server of voices.toml answers."""
        servers = self._servers()
        if not servers:
            fix = 'add a voice with backend = "openai" and its url (see docs/voices.md)'
            return Health(usable=False, detail="no voice names a server", fix=fix)
        found = [await self._ask(server) for server in servers]
        details = "; ".join(detail for _, detail in found)
        fix = "start the server, or correct its url in voices.toml"
        return Health(any(well for well, _ in found), details, fix)

    async def voices(self) -> tuple[VoiceInfo, ...]:
        """Voices that the servers list, and those of voices.toml that they do not."""
        found: dict[str, VoiceInfo] = {}
        for server in self._servers():
            own = {v.id: v.language for v in self._settings.voices if v.server == server}
            for info in await self._listed(server):
                language = own.get(info.id) or info.language
                found.setdefault(info.id, replace(info, language=language, note=server.name))
        for voice in self._settings.voices:
            if voice.server and voice.backend == self.name:
                info = VoiceInfo(self.name, voice.id, voice.language or "und", voice.gender)
                found.setdefault(voice.id, replace(info, note=voice.server.name))
        return tuple(found.values())

    async def speak(self, text: str, voice: Voice) -> Speech:
        """PCM, with a mark for each word where the server gives them. A text that is longer than
        the server takes is cut, and its parts are joined."""
        server = _server_of(voice)
        connection = self._connection(server)
        sent = _request(server, voice)
        if len(text) <= connection.most_characters:
            try:
                return await self._speak_whole(connection, text, voice, sent)
            except BackendRefused as error:
                if error.failure is Failure.MISCONFIGURED:
                    raise await self._suggesting(error, voice, server) from None
                if error.failure is not Failure.TOO_LONG:
                    raise
                connection.most_characters = _smaller_limit(str(error), len(text))
        parts = split_in_half(text)
        if parts is None or len(text) < _LEAST_CHARACTERS:
            raise BackendRefused(f"{server.url} takes no text this short.", Failure.TOO_LONG)
        left, at, right = parts
        first, second = await self.speak(left, voice), await self.speak(right, voice)
        return _joined(first, second, at)

    async def aclose(self) -> None:
        """Lets go of the connections."""
        for connection in self._connections.values():
            await connection.client.close()

    async def _speak_whole(
        self, connection: _Connection, text: str, voice: Voice, sent: Mapping[str, object]
    ) -> Speech:
        traits = connection.traits.setdefault((voice.id, str(voice.rate_pct)), VoiceTraits())
        reply = await self._receive(connection, text, voice, sent)
        # One after the other: whoever asks counts what is in flight.
        parts = [
            (t, await self._receive(connection, t, voice, sent))
            for t in traits.choose_control(text)
        ]
        fault = self._length_fault(connection, reply.sound)
        lengths_ms = [part.shape.spoken_ms for _, part in parts]
        fault = fault or traits.find_fault(reply.shape, text, reply.estimated_ms, lengths_ms)
        if fault:
            raise BackendIncomplete(
                f"The sound is suspicious: {fault}.",
                print_of_reply=_print_of(reply.shape),
                speech=reply.speech,
            )
        for said, each in ((text, reply), *parts):
            traits.learn(each.shape, said, each.estimated_ms)
        return reply.speech

    async def _receive(
        self, connection: _Connection, text: str, voice: Voice, sent: Mapping[str, object]
    ) -> _Reply:
        """A reply with speech in it, whole or not. Raises BackendError."""
        estimated_ms = estimate_ms(text, voice.language, voice.rate_pct)
        began_s = self._clock()
        patience_s = decide_patience(self._patience_s, estimated_ms, connection.slowness)
        data, words = await self._audio(connection, {**sent, "input": text}, patience_s)
        try:
            sound = read_sound(data)
        except AudioError as error:
            raise _no_sound(data, str(error)) from error
        sound = change_volume(sound, voice.volume_pct)
        shape = measure_speech(sound.pcm, sound.rate_hz)
        if not shape.has_speech:
            raise BackendIncomplete("The server sent silence.", Failure.NO_AUDIO)
        if shape.length_ms >= _PATIENT_MS:  # of a few words the way there and back takes most
            connection.slowness.append((self._clock() - began_s) * 1_000 / shape.length_ms)
        speech = Speech(sound.pcm, "pcm", sound.rate_hz, _marks(text, words, shape.length_ms))
        return _Reply(sound, shape, speech, estimated_ms)

    async def _audio(
        self, connection: _Connection, sent: Mapping[str, object], patience_s: float
    ) -> tuple[bytes, Sequence[object]]:
        """Sound, and the words' times where the server has them."""
        if connection.has_captions:
            try:
                return await self._captioned(connection, sent, patience_s)
            except AbsentPathError:
                connection.has_captions = False
                _LOG.debug("the server has no %s: words get no times", CAPTIONED)
        try:
            reply = await connection.client.post(SPEECH, sent, patience_s)
        except AbsentPathError as error:
            raise misconfigured(f"{error}. Its url must be the one before {SPEECH}.") from None
        return reply.body, ()

    async def _captioned(
        self, connection: _Connection, sent: Mapping[str, object], patience_s: float
    ) -> tuple[bytes, Sequence[object]]:
        """Sound and times in one JSON, or sound with the times at an address of their own. Raises
        BackendError, or AbsentPathError where the server has neither."""
        asked = {**sent, "stream": False, "return_timestamps": True}
        try:
            reply = await connection.client.post(CAPTIONED, asked, patience_s)
        except BackendUnavailable:
            connection.captions_failed += 1
            if not connection.captions_worked:
                # Perhaps only this address is broken: the usual one is asked from then on.
                connection.has_captions = connection.captions_failed < _CAPTION_TRIES
            raise
        if reply.body.lstrip()[:1] == b"<":
            raise AbsentPathError(f"{CAPTIONED} is a web page")
        connection.captions_worked = True
        if (path := reply.headers.get("X-Timestamps-Path")) is not None:
            words = await connection.client.get(f"/dev/timestamps/{path}")
            return reply.body, words if isinstance(words, list) else []
        try:
            found = json.loads(reply.body)
            words = found.get("timestamps")
            return base64.b64decode(found["audio"], validate=True), words or ()
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return reply.body, ()  # no sound either, then

    def _length_fault(self, connection: _Connection, sound: ReceivedSound) -> str:
        """What is missing by the container's own word. A server that is wrong about it from its
        first replies on is wrong by habit."""
        first = connection.wrong_lengths
        if len(first) < _HABIT_SAMPLES:
            first.append(bool(sound.missing))
        if not sound.missing or (len(first) == _HABIT_SAMPLES and all(first)):
            return ""
        return f"its container lacks {sound.missing}"

    def _connection(self, server: SpeechServer) -> _Connection:
        if server not in self._connections:
            client = ServerClient(server, self._settings.environ, self._settings.proxy)
            self._connections[server] = _Connection(client)
        return self._connections[server]

    def _servers(self) -> tuple[SpeechServer, ...]:
        named = (v.server for v in self._settings.voices if v.backend == self.name and v.server)
        return tuple(dict.fromkeys(named))

    async def _ask(self, server: SpeechServer) -> tuple[bool, str]:
        """Whether it answers, whatever it answers, and that in one line."""
        try:
            await self._connection(server).client.get(MODELS)
        except AbsentPathError:
            return True, f"{server.url} answers"
        except BackendError as error:
            return False, str(error)
        return True, f"{server.url} answers"

    async def _listed(self, server: SpeechServer) -> list[VoiceInfo]:
        """The voices that a server lists; none where it has no list."""
        try:
            found = await self._connection(server).client.get(VOICES)
        except (AbsentPathError, BackendError) as error:
            _LOG.debug("%s lists no voices: %s", server.url, error)
            return []
        listed = found.get("voices", found.get("data")) if isinstance(found, dict) else found
        entries = listed if isinstance(listed, list) else []
        return [info for entry in entries if (info := _info(entry))]

    async def _suggesting(
        self, error: BackendRefused, voice: Voice, server: SpeechServer
    ) -> BackendRefused:
        """`error` with the voice that may be meant, where the server lists its voices."""
        known = [info.id for info in await self._listed(server)]
        near = get_close_matches(voice.id, known, n=1, cutoff=0.5)
        if voice.id in known or not near:
            return error
        return misconfigured(f'{error} Did you mean "{near[0]}"?')


def decide_patience(least_s: float, estimated_ms: float, slowness: Sequence[float]) -> float:
    """How long a server may be silent before its answer to a text that takes so long to say;
    `slowness` is how many seconds it took lately for a second of sound."""
    patience_s = least_s * (1 + estimated_ms / _PATIENT_MS)
    if len(slowness) < _PATIENT_REPLIES:
        return patience_s
    return min(patience_s, least_s + _PATIENT_TIMES * max(slowness) * estimated_ms / 1_000)


def _server_of(voice: Voice) -> SpeechServer:
    if voice.server is None:
        raise misconfigured(
            f'The voice "{voice.name}" names no server. Did you mean one of voices.toml, with '
            'its url = "http://localhost:8880"?'
        )
    return voice.server


def _request(server: SpeechServer, voice: Voice) -> dict[str, object]:
    """All that is sent but the text. Raises BackendRefused for what no server can do."""
    if voice.pitch_hz:
        raise misconfigured(
            "A server cannot change the pitch of a voice. Leave --pitch out, or set pitch = 0 for "
            f'"{voice.name}".'
        )
    speed = 1 + voice.rate_pct / 100
    if not _SLOWEST <= speed <= _FASTEST:
        raise misconfigured(
            f'Servers speak no slower than rate = -75, not {voice.rate_pct} as "{voice.name}" says.'
        )
    sent: dict[str, object] = {
        "model": server.model or "tts-1",
        "voice": voice.id,
        "response_format": server.format,
    }
    if voice.rate_pct:
        sent["speed"] = round(speed, 2)
    if server.instructions:
        sent["instructions"] = server.instructions
    return sent | (json.loads(server.extra) if server.extra else {})


def _smaller_limit(message: str, length: int) -> int:
    """How much the server takes: by its own word, else half of what it refused."""
    named = [int(number) for number in _NAMED_LIMIT.findall(message)]
    fitting = [number for number in named if _LEAST_CHARACTERS <= number < length]
    return max(fitting, default=length // 2)


def _no_sound(data: bytes, why: str) -> BackendIncomplete:
    if not data:
        return BackendIncomplete("The server answered 200 and sent nothing.", Failure.NO_AUDIO)
    said = find_error_text(data) if data[:1] in b"{[<" else ""
    told = f"The server answered 200 without sound: {said}." if said else why
    return BackendIncomplete(told, Failure.NO_AUDIO)


def _print_of(shape: SpeechShape) -> tuple[int, ...]:
    """Equal (to 24) for replies whose lengths differ by no more than chance makes them differ."""
    return (round(math.log(max(1, shape.length_ms)) / _ALIKE_SHARE * _ALIKE_MS),)


def _joined(left: Speech, right: Speech, at: int) -> Speech:
    """Two parts of a text that was too long, with a pause between them."""
    if left.rate_hz != right.rate_hz:
        raise BackendIncomplete("The server changed its sample rate within a text.")
    pause = bytes(2 * (left.rate_hz * _JOINT_MS // 1_000))
    later_ms = (len(left.audio) + len(pause)) * 500 // left.rate_hz
    return replace(
        left,
        audio=left.audio + pause + right.audio,
        marks=(*left.marks, *(mark.moved(later_ms, at) for mark in right.marks)),
    )


def _marks(text: str, words: Sequence[object], length_ms: int) -> tuple[Mark, ...]:
    """Marks of the words that the server gives times for, as far as they are found in the text."""
    boundaries: list[Boundary] = []
    for word in words:
        said, begin, end = _word(word)
        if said and 0 <= begin <= end:
            start, stop = (min(round(s * 1_000), length_ms) * TICKS_PER_MS for s in (begin, end))
            boundaries.append(Boundary("word", start, stop, said))
    if not boundaries:
        return ()
    within = folded(text)
    return marks_of(within, place(within, sorted(boundaries, key=lambda each: each.start)), ())


def _word(entry: object) -> tuple[str, float, float]:
    if not isinstance(entry, dict):
        return "", 0.0, 0.0
    begin, end = (
        entry.get("start_time", entry.get("start")),
        entry.get("end_time", entry.get("end")),
    )
    if not isinstance(begin, int | float) or not isinstance(end, int | float):
        return "", 0.0, 0.0
    if not (math.isfinite(begin) and math.isfinite(end)):
        return "", 0.0, 0.0
    return str(entry.get("word", "")), float(begin), float(end)


def _info(entry: object) -> VoiceInfo | None:
    """A voice as servers list it: its name, or a table with it; None for what is none."""
    table: dict[str, Any] = entry if isinstance(entry, dict) else {"id": entry}
    id_ = next((table[key] for key in ("id", "voice_id", "name") if table.get(key)), "")
    if not isinstance(id_, str) or not (id_ := id_.strip()) or not id_.isprintable():
        return None
    kokoro = _KOKORO.fullmatch(id_)
    language = table.get("language") or table.get("locale") or table.get("lang")
    if not isinstance(language, str) or not LANGUAGE.fullmatch(language):
        language = _KOKORO_TONGUES[kokoro["tongue"]] if kokoro else "und"
    gender = str(table.get("gender") or (kokoro["gender"] if kokoro else "")).lower()
    return VoiceInfo("openai", id_, normalize_tag(language), _GENDERS.get(gender, ""))


def make(settings: Settings) -> OpenAIBackend:
    """The backend for the servers that the settings' voices name."""
    return OpenAIBackend(settings)
