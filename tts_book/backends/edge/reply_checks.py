"""Is this reply whole? Arithmetic on frames, times and text; every threshold with its source.

"edge.md" is the fact file of the project; its section 4 holds the checks, 1.4 the sound.
A finding is `certain` where sound is missing for sure: such a reply must never be used. The others
can be a trait of the text (an odd number, a long pause), and the same again twice is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from tts_book.backends.edge.alignment import Folded, Placed
from tts_book.backends.edge.exchange import Reply


class Habits:
    """What is learned of one voice from its replies: its tail, and the short words it marks."""

    def __init__(self) -> None:
        self._tails: list[float] = []
        self._marked: set[str] = set()
        self._unmarked: set[str] = set()

    def learn_tail(self, tail_s: float) -> None:
        """Adds a whole reply's tail; the newest hundred count."""
        self._tails.append(tail_s)
        del self._tails[:-100]

    def learn_words(self, text: Folded, words: Sequence[Placed]) -> None:
        """Takes notice of the short words that have marks of their own, and of those without."""
        heard = {text.letters[w.start : w.stop] for w in words if w.found}
        self._marked |= {word for word in heard if len(word) <= SHORT_WORD_CHARS}
        edges = [*sorted(text.starts), len(text.letters)]
        said = {text.letters[a:b] for a, b in pairwise(edges) if b - a <= SHORT_WORD_CHARS}
        self._unmarked |= said - heard

    @property
    def tail_s(self) -> float | None:
        """The usual tail, once enough replies were seen."""
        return median(self._tails) if len(self._tails) >= TAIL_SAMPLES else None

    @property
    def tail_spread_s(self) -> float:
        """How far a tail may lie from the usual one: some times the middle deviation that this
        voice has shown, so that a steady voice is held to it, and a restless one is not."""
        usual = self.tail_s
        if usual is None:
            return TAIL_SPREAD_S
        middle = median(abs(tail - usual) for tail in self._tails)
        return min(TAIL_SPREAD_S, max(TAIL_SPREAD_LEAST_S, TAIL_DEVIATIONS * middle))

    @property
    def unmarked(self) -> frozenset[str]:
        """Short words that were spoken before and never marked by themselves."""
        return frozenset(self._unmarked - self._marked)


FRAME_BYTES = 144  # 48 kbit/s, 24 kHz, MPEG-2 layer III: 318 of 318 replies (1.4)
FRAME_MS, FRAME_TICKS = 24, 240_000
BYTES_PER_S = 6_000
TICKS_PER_S = 10_000_000

# Sound goes on after the last mark: 0.87 s (classic voices) or 0.37 s (multilingual); -0.15 and
# +1.6 s bound it (4.3), the upper one scaled by the rate.
TAIL_LEAST_S, TAIL_MOST_S = -0.15, 1.6
# The shortest that was measured is 0.14 s (1.4); with less, the last syllable may be cut.
TAIL_SHORTEST_S = 0.1
# A voice keeps its own tail; this far from its median, something is odd (4.3, inferred there).
TAIL_SPREAD_S, TAIL_SAMPLES = 0.4, 5
# Of a steady voice less is noticed: a message holds 120 ms, so half of that is the least, and
# six times the middle deviation leaves ordinary tails alone.
TAIL_SPREAD_LEAST_S, TAIL_DEVIATIONS = 0.06, 6.0
# Coverage of the folded text (4.4).
END_MISSING_CHARS, END_SHARE = 12, 0.95
COVERED_SHARE = {"word": 0.80, "sentence": 0.85}
HOLE_CHARS = 60
# Silence between two words without a paragraph break (4.4).
WORD_GAP_S = 3.5
# Both silences and the pauses between sentences (1.4, 4.5).
SILENCE_S = 1.07
# Speech in characters a second, spaces included (4.5), and how far off it may be.
SPEED_CPS = {
    "ru": 13.5, "en": 15.0, "de": 18.0, "fr": 18.5, "es": 16.5, "uk": 13.0, "kk": 16.0, "it": 15.0,
    "pt": 15.0, "pl": 15.5, "tr": 14.0, "zh": 4.8, "ja": 6.0, "ko": 6.7, "ar": 12.5, "hi": 11.0,
    "vi": 17.5,
}  # fmt: skip
SPEED_UNKNOWN_CPS = 13.0
SPEED_LEAST, SPEED_MOST, SPEED_CHARS = 0.55, 1.7, 40
# Letters make four fifths of prose; symbols that nobody speaks must not count.
LETTER_SHARE = 0.8
# Ours: a word is spoken if half the time it needs is there beside the pause that may stand there.
SPOKEN_SHARE = 0.5
PAUSE_S = {"none": 0.35, "comma": 0.7, "sentence": 1.3}
# Ours: so short a stretch may have been run together with its neighbours without a mark, if this
# voice never marks such a word by itself.
SHORT_WORD_CHARS = 3
# Ours: a stream made in one piece never points back into bytes that are not there; a cut one does
# so once a cut. Many such places mean another encoder, not many cuts.
MOST_CUTS = 3
# Ours: encoded silence this long before the last word (pauses are shorter: WORD_GAP_S), and
# marked words that are nothing but encoded silence.
SILENT_S, SILENT_WORDS_S = 3.5, 0.4


@dataclass(frozen=True, slots=True)
class ReplyFinding:
    """Something wrong with a reply, in a few words."""

    what: str
    certain: bool = False

    def __str__(self) -> str:
        return f"{self.what} ({'certain' if self.certain else 'in doubt'})"


@dataclass(frozen=True, slots=True)
class SpokenRequest:
    """What was asked for: the text, its language, its speed as a factor; how much sound this
    voice leaves after its last word (median seconds) and how far from that it may be, and which
    words it never marks, if known."""

    text: Folded
    language: str
    speed: float = 1.0
    tail_s: float | None = None
    unmarked: frozenset[str] = frozenset()
    tail_spread_s: float = TAIL_SPREAD_S

    @property
    def chars_per_s(self) -> float:
        """The usual speed of this language at this rate."""
        return SPEED_CPS.get(self.language[:2].lower(), SPEED_UNKNOWN_CPS) * self.speed


def estimate_s(letters: int, language: str, speed: float) -> float:
    """How long `letters` letters play."""
    cps = SPEED_CPS.get(language[:2].lower(), SPEED_UNKNOWN_CPS) * speed
    return SILENCE_S + letters / LETTER_SHARE / cps


def sound_s(reply: Reply) -> float:
    """Length of the sound, from its size: the bit rate is constant."""
    return len(reply.audio) / BYTES_PER_S


def last_tick(words: Sequence[Placed], sentences: Sequence[Placed]) -> int:
    """Where the last mark ends."""
    return max((p.boundary.stop for p in (*words, *sentences)), default=0)


def check_frames(audio: bytes) -> list[ReplyFinding]:
    """Whole frames of the one format, none missing in between as far as they can tell."""
    if len(audio) % FRAME_BYTES:
        return [ReplyFinding("the sound ends in the middle of a frame", certain=True)]
    # Sync, MPEG-2, layer III; 48 kbit/s, 24 kHz, no padding; mono.
    first, second = audio[0::FRAME_BYTES], audio[1::FRAME_BYTES]
    third, fourth = audio[2::FRAME_BYTES], audio[3::FRAME_BYTES]
    whole = (
        not first.strip(b"\xff")
        and not second.strip(b"\xf2\xf3")
        and not third.strip(b"\x64\x65")
        and all(byte & 0xC0 == 0xC0 for byte in set(fourth))
    )
    if not whole:
        return [ReplyFinding("the sound is not of the format that was asked for", certain=True)]
    cuts = _cuts(audio)
    if 0 < cuts <= MOST_CUTS:
        return [ReplyFinding("frames are missing inside the sound", certain=True)]
    return []


def _main_data(audio: bytes) -> list[tuple[int, int]]:
    """Of every frame: how many bytes back its data begin, and how many bits they are."""
    skip = 0 if audio[1] & 1 else 2  # a checksum stands before the side information
    columns = (audio[skip + at :: FRAME_BYTES] for at in (4, 5, 6))
    return [(a, (b & 0x7F) << 5 | c >> 3) for a, b, c in zip(*columns, strict=True)]


def _cuts(audio: bytes) -> int:
    """Frames whose data begin before what the frames in front of them left free."""
    room = FRAME_BYTES - 4 - 9  # header, side information of one granule and one channel
    free = cuts = 0
    for back, bits in _main_data(audio):
        cuts += back > free
        free = max(0, back + room - (bits + 7) // 8)
    return cuts


def check_silence(
    audio: bytes, spoken: SpokenRequest, words: Sequence[Placed]
) -> list[ReplyFinding]:
    """No long stretch of encoded nothing, and none where words are said to be."""
    silent = [bits == 0 for _, bits in _main_data(audio)]
    limit = round(SILENT_S / min(1.0, spoken.speed) * 1_000 / FRAME_MS)
    last = max((word.boundary.stop // FRAME_TICKS for word in words), default=0)
    run = 0
    for quiet in silent[:last]:
        run = run + 1 if quiet else 0
        if run > limit:
            return [ReplyFinding("the sound is silent where words should be", certain=True)]
    spans = [(w.boundary.start // FRAME_TICKS, w.boundary.stop // FRAME_TICKS) for w in words]
    mute = sum(b - a for a, b in spans if 0 <= a < b <= len(silent) and all(silent[a:b]))
    if mute * FRAME_MS > SILENT_WORDS_S * 1_000:
        silent_s = mute * FRAME_MS / 1_000
        return [ReplyFinding(f"{silent_s:.1f} s of marked words are silent", certain=True)]
    return []


def check_length(reply: Reply, spoken: SpokenRequest, end_tick: int) -> list[ReplyFinding]:
    """Sound and marks agree in length."""
    tail_s = sound_s(reply) - end_tick / TICKS_PER_S
    if reply.total and sound_s(reply) < reply.total / TICKS_PER_S + TAIL_LEAST_S:
        return [ReplyFinding("the sound is shorter than the service says", certain=True)]
    if tail_s < TAIL_LEAST_S:
        return [ReplyFinding(f"the last {-tail_s:.1f} s of sound are missing", certain=True)]
    if tail_s < TAIL_SHORTEST_S:
        return [ReplyFinding("the sound ends with the last mark")]
    if tail_s > TAIL_MOST_S / min(1.0, spoken.speed):
        return [ReplyFinding(f"{tail_s:.1f} s of sound follow the last mark")]
    if spoken.tail_s is not None and abs(tail_s - spoken.tail_s) > spoken.tail_spread_s:
        return [ReplyFinding(f"sound and marks differ by {tail_s - spoken.tail_s:+.2f} s")]
    return []


def check_speed(reply: Reply, spoken: SpokenRequest, *, certain: bool) -> list[ReplyFinding]:
    """The text can be spoken in that time. `certain`: there is nothing else to go by."""
    chars = len(spoken.text.letters) / LETTER_SHARE
    if chars < SPEED_CHARS:
        return []
    factor = chars / max(0.1, sound_s(reply) - SILENCE_S) / spoken.chars_per_s
    if factor > SPEED_MOST:
        return [ReplyFinding(f"the text is spoken {factor:.1f} times too fast", certain)]
    if factor < SPEED_LEAST:
        return [ReplyFinding(f"the text is spoken {1 / factor:.1f} times too slowly")]
    return []


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Letters without a mark between two marks, and the time that lies there."""

    start: int
    stop: int
    time_s: float


def _stretches(
    spoken: SpokenRequest, placed: Sequence[Placed], sound_stop_s: float
) -> list[_Stretch]:
    found: list[_Stretch] = []
    letter, heard_s, marked_s = 0, 0.0, 0.0
    for p in placed:
        start_s, stop_s = p.boundary.start / TICKS_PER_S, p.boundary.stop / TICKS_PER_S
        if not p.found:
            marked_s += stop_s - start_s
            continue
        if p.start > letter:
            found.append(
                _Stretch(
                    letter, p.start, _free_s(spoken, letter, p.start, start_s - heard_s, marked_s)
                )
            )
        letter, heard_s, marked_s = p.stop, stop_s, 0.0
    end = len(spoken.text.letters)
    if letter < end:
        found.append(
            _Stretch(letter, end, _free_s(spoken, letter, end, sound_stop_s - heard_s, marked_s))
        )
    return found


def _free_s(spoken: SpokenRequest, start: int, stop: int, gap_s: float, marked_s: float) -> float:
    """Time for speech in a gap: marked by other words, or more than a pause may take."""
    pause_s = _pause_s(spoken, start, stop) / min(1.0, spoken.speed)
    return max(marked_s, gap_s - pause_s)


def _pause_s(spoken: SpokenRequest, start: int, stop: int) -> float:
    places, text = spoken.text.places, spoken.text.text
    begin = places[start - 1] if start else 0
    between = text[begin : places[stop] if stop < len(places) else len(text)]
    if start == 0 and stop < len(places):
        return PAUSE_S["none"]
    if stop == len(places) or re.search(r"[.!?…。！？\n]", between):
        return PAUSE_S["sentence"]
    return PAUSE_S["comma"] if re.search(r"[^\w\s]", between) else PAUSE_S["none"]


def check_coverage(
    spoken: SpokenRequest, placed: Sequence[Placed], kind: str, sound_stop_s: float
) -> list[ReplyFinding]:
    """The marks reach to the end of the text and leave nothing out that was not spoken."""
    total = len(spoken.text.letters)
    stretches = _stretches(spoken, placed, sound_stop_s)
    unspoken = [stretch for stretch in stretches if _unspoken(spoken, stretch)]
    long = [stretch for stretch in unspoken if stretch.stop - stretch.start > SHORT_WORD_CHARS]
    if long:
        return [ReplyFinding(f"not spoken: {_quoted(spoken, long)}", certain=True)]
    short = [s for s in unspoken if not spoken.unmarked.issuperset(_words(spoken, s))]
    if short:
        return [ReplyFinding(f"perhaps not spoken: {_quoted(spoken, short)}")]
    covered = total - sum(s.stop - s.start for s in stretches)
    if covered < COVERED_SHARE[kind] * total:
        return [ReplyFinding(f"marks cover {100 * covered // max(1, total)} % of the text")]
    last = stretches[-1].start if stretches and stretches[-1].stop == total else total
    if total - last > END_MISSING_CHARS and last < END_SHARE * total:
        return [ReplyFinding("the end of the text has no marks")]
    if any(s.stop - s.start > HOLE_CHARS for s in stretches):
        return [ReplyFinding("a part of the text has no marks")]
    return []


def _unspoken(spoken: SpokenRequest, stretch: _Stretch) -> bool:
    needed_s = (stretch.stop - stretch.start) / LETTER_SHARE / spoken.chars_per_s
    return stretch.time_s < SPOKEN_SHARE * needed_s


def _words(spoken: SpokenRequest, stretch: _Stretch) -> list[str]:
    """The folded words of a stretch."""
    starts = [at for at in range(stretch.start + 1, stretch.stop) if at in spoken.text.starts]
    edges = [stretch.start, *starts, stretch.stop]
    return [spoken.text.letters[a:b] for a, b in pairwise(edges)]


def _quoted(spoken: SpokenRequest, stretches: Sequence[_Stretch]) -> str:
    start, stop = spoken.text.span(stretches[0].start, stretches[0].stop)
    words = " ".join(spoken.text.text[start:stop].split())
    more = f" and {len(stretches) - 1} more" if len(stretches) > 1 else ""
    return f'"{words if len(words) <= 40 else words[:39] + "…"}"{more}'


def check_gaps(spoken: SpokenRequest, words: Sequence[Placed]) -> list[ReplyFinding]:
    """No pause between two words that no punctuation explains."""
    limit_s = WORD_GAP_S / min(1.0, spoken.speed)
    text = spoken.text
    for one, other in pairwise(words):
        gap_s = (other.boundary.start - one.boundary.stop) / TICKS_PER_S
        if gap_s <= limit_s or not (one.found and other.found):
            continue
        if "\n" not in text.text[text.places[one.stop - 1] : text.places[other.start]]:
            return [ReplyFinding(f"{gap_s:.1f} s of silence between two words")]
    return []


def check(
    reply: Reply, spoken: SpokenRequest, words: Sequence[Placed], sentences: Sequence[Placed]
) -> list[ReplyFinding]:
    """All findings, the certain ones first; empty where the reply may count. It must hold sound."""
    found = check_frames(reply.audio)
    if found:
        return found
    if reply.broken:
        found.append(
            ReplyFinding(f"{reply.broken} messages with sound could not be read", certain=True)
        )
    placed, kind = (words, "word") if words else (sentences, "sentence")
    if not placed:
        found += [*check_speed(reply, spoken, certain=True), ReplyFinding("no marks came")]
        return sorted(found, key=lambda finding: not finding.certain)
    end_tick = last_tick(words, sentences)
    found += check_length(reply, spoken, end_tick)
    found += check_coverage(spoken, placed, kind, sound_s(reply))
    found += check_silence(reply.audio, spoken, words)
    found += check_gaps(spoken, words)
    found += check_speed(reply, spoken, certain=False)
    return sorted(found, key=lambda finding: not finding.certain)
