"""What joining costs: `python benchmarks/stitch.py [--hours 10] [--turns 5] [--rivals]`.

Segments of 24 kHz, 48 kbit/s speech-like sound lie on disk with their analysis, as in the cache.
CPU time is compared with a bare copy of the same frames in the same run (by turns, the best of
them, fsync in both); memory is the peak of each way's own process. `--rivals`
joins an hour with pydub and ffmpeg too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book import audio
from tts_book.audio.file_tags import Tags
from tts_book.model import Break, Chunk, Entry, Mark, Pauses, Segment, Sound
from tts_book.output import stitcher

if TYPE_CHECKING:
    import numpy as np

RATE_HZ = 24_000
SEGMENTS = 60  # different ones; a longer book repeats them
WAYS = ("join", "gain", "pauses", "pydub", "ffmpeg")


def main() -> None:
    """Prepares, measures, prints a table."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.worker:
            told = _measure(options.worker, Path(options.folder), options.hours, options.turns)
            _say(json.dumps(told))
            return
        _prepare(folder)
        _table(folder, options.hours, options.turns)
        if options.rivals:
            _rivals(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--worker", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


# Material -----------------------------------------------------------------------------------------


def _prepare(folder: Path) -> None:
    """Segments of 40 to 100 s: bursts of sound and noise, and pauses of 1.2 s after each tenth."""
    import numpy as np

    chance = np.random.default_rng(1)
    for number in range(SEGMENTS):
        frames = audio.encode(_speechlike(chance, 400 + number * 10), RATE_HZ)
        (folder / f"{number}.mp3").write_bytes(frames)
        sound = audio.analyse(frames)
        fields = {name: getattr(sound, name) for name in Sound.__dataclass_fields__}
        (folder / f"{number}.json").write_text(json.dumps(fields))


def _speechlike(chance: np.random.Generator, syllables: int) -> bytes:
    import numpy as np

    parts = [np.zeros(RATE_HZ // 5)]
    for number in range(syllables):
        count = int(chance.integers(2_000, 3_000))
        pitch = np.sin(2 * np.pi * chance.integers(90, 220) * np.arange(count) / RATE_HZ)
        parts.append((pitch * 0.2 + chance.normal(0, 0.03, count)) * np.hanning(count))
        parts.append(np.zeros(RATE_HZ * 12 // 10 if number % 10 == 9 else 0))
    parts.append(np.zeros(RATE_HZ * 875 // 1_000))
    return bytes((np.concatenate(parts) * 32_767).astype("<i2").tobytes())


def _segments(folder: Path, hours: float, *, marked: bool) -> list[Segment]:
    kinds = [_segment(folder, number, marked) for number in range(SEGMENTS)]
    chosen: list[Segment] = []
    total_ms = 0
    while total_ms < hours * 3_600_000:
        chosen.append(kinds[len(chosen) % SEGMENTS])
        total_ms += chosen[-1].entry.sound.duration_ms
    return chosen


def _segment(folder: Path, number: int, marked: bool) -> Segment:
    sound = Sound(**json.loads((folder / f"{number}.json").read_text()))
    path = folder / f"{number}.mp3"
    text, marks = "One. " * 100, _marks(sound) if marked else ()
    chunk = Chunk(1, number, 0, len(text), text, text, Break.PARAGRAPH)
    return Segment(chunk, Entry(path, path.stat().st_size, sound, marks, {}), cached=True)


def _marks(sound: Sound) -> tuple[Mark, ...]:
    """A sentence between every two long pauses."""
    edges = [sound.speech_start]
    edges += [edge for pause in sound.quiet if pause[1] - pause[0] > 40 for edge in pause]
    edges.append(sound.speech_stop)
    times = zip(edges[0::2], edges[1::2], strict=True)
    return tuple(
        Mark("sentence", a * 24, b * 24, n * 5, n * 5 + 4) for n, (a, b) in enumerate(times)
    )


# Ways ---------------------------------------------------------------------------------------------


def _copy(segments: list[Segment], target: Path) -> None:
    """The least that any join must do: read every segment, write its frames, make them safe."""
    with target.open("wb") as file:
        for segment in segments:
            with segment.entry.path.open("rb", buffering=0) as source:
                file.write(source.read(segment.entry.frames_bytes))
        file.flush()
        os.fsync(file.fileno())


def _join(gain_steps: int) -> Callable[[list[Segment], Path], None]:
    def join(segments: list[Segment], target: Path) -> None:
        stitcher.stitch_chapter(
            segments, target, pauses=Pauses(), tags=Tags("Benchmark"), gain_steps=gain_steps
        )

    return join


def _pydub(segments: list[Segment], target: Path) -> None:
    """The usual way: decode each file, add it to what there is, encode it all."""
    from pydub import AudioSegment

    whole = AudioSegment.empty()
    for segment in segments:
        whole += AudioSegment.from_mp3(segment.entry.path)
        whole += AudioSegment.silent(900, 24_000)
    whole.export(target, format="mp3", bitrate="48k")


def _ffmpeg(segments: list[Segment], target: Path) -> None:
    names = target.with_suffix(".txt")
    names.write_text("".join(f"file '{segment.entry.path}'\n" for segment in segments))
    command = ["ffmpeg", "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(names)]
    subprocess.run([*command, "-c", "copy", str(target)], check=True)


_WAY: dict[str, Callable[[list[Segment], Path], None]] = {
    "join": _join(0),
    "pauses": _join(0),
    "gain": _join(-2),
    "pydub": _pydub,
    "ffmpeg": _ffmpeg,
}


# Measuring ----------------------------------------------------------------------------------------


def _measure(way: str, folder: Path, hours: float, turns: int) -> dict[str, float]:
    """CPU seconds (children's too) after imports, of this way and of a bare copy, by turns: the
    best of each; and peak memory."""
    segments = _segments(folder, hours, marked=way == "pauses")
    target = folder / f"{way}.out.mp3"
    _WAY["gain" if way == "gain" else "join"](segments[:1], target)
    turns = 1 if way == "pydub" else turns
    runs = [
        (_cpu_s(lambda: _WAY[way](segments, target)), _cpu_s(lambda: _copy(segments, target)))
        for _ in range(turns)
    ]
    target.unlink()
    cpu_s, copy_s = (min(column) for column in zip(*runs, strict=True))
    return {"cpu_s": cpu_s, "copy_s": copy_s, "peak_mib": _peak_mib()}


def _cpu_s(work: Callable[[], None]) -> float:
    own, before = time.process_time(), os.times()
    work()
    after = os.times()
    children = sum(after[2:4]) - sum(before[2:4])
    return time.process_time() - own + children


def _peak_mib() -> float:
    """The largest this process has been; on Linux without what it inherited when it was forked."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1_024
    if sys.platform == "win32":
        return 0.0
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _apart(way: str, folder: Path, hours: float, turns: int = 5) -> dict[str, float]:
    """One way in a process of its own."""
    command = [sys.executable, __file__, "--worker", way, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--hours", str(hours), "--turns", str(turns)],
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def _table(folder: Path, hours: float, turns: int) -> None:
    _say(f"{'way':8} {'hours':>6} {'CPU s':>8} {'x copy':>7} {'peak MiB':>9}")
    for length in (hours / 10, hours):
        for way in ("join", "gain", "pauses"):
            _row(way, length, _apart(way, folder, length, turns))


def _rivals(folder: Path) -> None:
    """The same hour joined as it is done elsewhere. Memory of ffmpeg's process is not counted."""
    for way in ("ffmpeg", "pydub"):
        if shutil.which("ffmpeg"):
            _row(way, 1.0, _apart(way, folder, 1.0))


def _row(way: str, hours: float, told: dict[str, float]) -> None:
    ratio = told["cpu_s"] / told["copy_s"]
    _say(f"{way:8} {hours:6.1f} {told['cpu_s']:8.2f} {ratio:7.1f} {told['peak_mib']:9.0f}")


if __name__ == "__main__":
    main()
