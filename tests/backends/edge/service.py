"""What the simulated service knows and demands: voices, SSML, limits; and what it counts."""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import pairwise
from xml.etree import ElementTree

from tests.backends.edge import sound as edge_sound
from tests.backends.edge.faults import Fault
from tests.backends.edge.sound import USUAL, Manner, Said

_SPEAK = "{http://www.w3.org/2001/10/synthesis}"
_SIGNED = {"pitch": r"[+-]\d+Hz", "rate": r"[+-]\d+%", "volume": r"[+-]\d+%"}

VOICES = {
    **dict.fromkeys(("ru-RU-SvetlanaNeural", "en-US-AvaMultilingualNeural"), "Female"),
    **dict.fromkeys(("ru-RU-DmitryNeural", "en-US-BrianMultilingualNeural"), "Male"),
    **dict.fromkeys(("en-GB-SoniaNeural", "en-US-AriaNeural", "en-US-EmmaNeural"), "Female"),
    **dict.fromkeys(("en-GB-RyanNeural", "en-US-GuyNeural", "en-US-AndrewNeural"), "Male"),
    **dict.fromkeys(("de-DE-KatjaNeural", "fr-FR-DeniseNeural", "uk-UA-PolinaNeural"), "Female"),
    **dict.fromkeys(("de-DE-ConradNeural", "es-ES-AlvaroNeural", "zh-CN-YunxiNeural"), "Male"),
    **dict.fromkeys(("iu-Cans-CA-SiqiniqNeural", "zh-CN-liaoning-XiaobeiNeural"), "Female"),
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds; sound comes at `times_real` times its own speed.
    `LIKE_THE_SERVICE` is what was measured; by default all comes at once."""

    connect_s: float = 0.0
    first_mark_s: float = 0.0
    first_sound_s: float = 0.0
    times_real: float = 0.0


LIKE_THE_SERVICE = Pace(0.35, 0.15, 0.3, 90.0)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most so many connections a minute and at once; after `patience` refusals in a row of
    ten minutes, nothing for `ban_s`."""

    per_minute: int = 60
    at_once: int = 4
    patience: int = 20
    ban_s: float = 300.0
    status: int = 429


@dataclass(slots=True)
class Statistics:
    """What happened. `speeches` counts connections for speech and `most_open` how many there were
    at once, `turns` and `most_turns` the requests on them. `starts_s` are the times of connections
    by the simulator's clock, `turns_s` those of finished turns, from the request to the last
    message; `answered` are the texts of those turns, in the order in which they ended."""

    connections: int = 0
    speeches: int = 0
    lists: int = 0
    most_open: int = 0
    finished: int = 0
    sound_bytes: int = 0
    turns: int = 0
    most_turns: int = 0
    turns_s: list[tuple[float, float]] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    refusals: Counter[int] = field(default_factory=Counter)
    bad_ssml: list[str] = field(default_factory=list)
    configs: list[str] = field(default_factory=list)

    @property
    def gaps_s(self) -> list[float]:
        """Times between one connection and the next."""
        return [b - a for a, b in pairwise(self.starts_s)]


class Gate:
    """The service's own limits."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._starts: deque[float] = deque()
        self._refused: deque[float] = deque()
        self._banned_until = -1.0

    def refuses(self, now_s: float, open_now: int) -> int:
        """The status to refuse with, 0 to let in."""
        while self._starts and self._starts[0] <= now_s - 60:
            self._starts.popleft()
        while self._refused and self._refused[0] <= now_s - 600:
            self._refused.popleft()
        busy = open_now > self._limit.at_once or len(self._starts) >= self._limit.per_minute
        if now_s >= self._banned_until and not busy:
            self._starts.append(now_s)
            return 0
        self._refused.append(now_s)
        if len(self._refused) >= self._limit.patience:
            self._banned_until = now_s + self._limit.ban_s
        return self._limit.status


@dataclass(frozen=True, slots=True)
class Prompt:
    """What an SSML document asks for."""

    text: str
    voice: str
    speed: float
    manner: Manner = USUAL

    def say(self, text: str) -> Said:
        return edge_sound.say(text, self.voice, self.speed, self.manner)


def read_ssml(body: str) -> Prompt:
    """Reads SSML as strictly as the service. Raises ValueError with the service's words."""
    try:
        speak = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        where = f"Line {error.position[0]}, position {error.position[1]}."
        raise ValueError(f"An error occurred while parsing EntityName. {where}") from error
    voice = speak[0] if len(speak) == 1 else speak
    prosody = voice[0] if len(voice) == 1 else voice
    shape = [(node.tag, set(node.attrib)) for node in (speak, voice, prosody)]
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    wanted = [("speak", {"version", language}), ("voice", {"name"}), ("prosody", set(_SIGNED))]
    named = re.fullmatch(
        r"Microsoft Server Speech Text to Speech Voice \(([\w-]+), ([\w:]+)\)",
        voice.get("name", ""),
    )
    signed = all(re.fullmatch(_SIGNED[k], prosody.get(k, "")) for k in _SIGNED)
    if shape != [(_SPEAK + tag, names) for tag, names in wanted] or len(prosody):
        raise ValueError("SSML is invalid")
    if not named or not signed:
        raise ValueError("SSML is invalid")
    speed = max(0.1, 1 + int(prosody.get("rate", "+0%")[:-1]) / 100)
    return Prompt(prosody.text or "", f"{named[1]}-{named[2]}", speed)


def wanted_marks(config: str) -> tuple[bool, bool]:
    """Whether word marks and sentence marks are asked for."""
    audio = json.loads(config)["context"]["synthesis"]["audio"]
    if audio["outputFormat"] != "audio-24khz-48kbitrate-mono-mp3":
        raise ValueError(f"unexpected format {audio['outputFormat']}")
    marks = audio["metadataoptions"]
    return marks["wordBoundaryEnabled"] == "true", marks["sentenceBoundaryEnabled"] == "true"


def concerns(fault: Fault, asked: Prompt) -> bool:
    """Whether the fault is meant for this request."""
    return bool(re.search(fault.text, asked.text) and re.search(fault.voice, asked.voice))


def listed(name: str) -> dict[str, object]:
    """A voice as the list of voices tells it."""
    locale, _, bare = name.rpartition("-")
    return {
        "Name": f"Microsoft Server Speech Text to Speech Voice ({locale}, {bare})",
        "ShortName": name,
        "Gender": VOICES[name],
        "Locale": locale,
        "SuggestedCodec": "audio-24khz-48kbitrate-mono-mp3",
        "FriendlyName": f"{bare} ({locale})",
        "Status": "GA",
        "VoiceTag": {"ContentCategories": ["General"], "VoicePersonalities": ["Friendly"]},
    }
