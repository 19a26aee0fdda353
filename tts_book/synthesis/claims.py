"""Claims: how runs that share a folder, also on several machines, agree who does what.

A claim is a small file that says who holds it. It is created at once or not at all (O_EXCL), and
written again every `HEARTBEAT_S` as long as its run lives. A claim is dead when its process is not
there any more (on this machine), or when it was not written for `STALE_S` by the clock of the
folder itself: machines need not agree about the time. Another run may take a dead claim over:

1. It creates the claim's heir (O_EXCL again), so that no other can do the same.
2. It looks once more: the claim must still be the dead one that it has seen.
3. It renames the heir to the claim.

A claim keeps two runs from doing the same work; nothing breaks where it fails to. What it protects
must therefore be whole in itself, as entries of the cache are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tts_book.synthesis.atomic import is_running, open_part, remove_file, rename_patiently

SUFFIX = ".claim"
HEARTBEAT_S = 30.0
STALE_S = 180.0
_HEIR = ".heir"
# Linux: what is another on every machine, and after each start of it.
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# How long the folder's clock is read off ours before it is asked again.
_CLOCK_KEPT_S = 60.0
# A claim may be let go of at the moment when it is looked at.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Claimant:
    """Whose a claim is: a run of a process on a machine. Numbers of processes mean something only
    within one `space`: machines may share a name (`host`), and containers a machine."""

    host: str
    process: int
    run: str
    space: str = ""

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}" if self.process else "another run"

    def is_beside(self, other: Claimant) -> bool:
        """Whether it would see the process of the other."""
        return (self.host, self.space) == (other.host, other.space)


# Of a claim that is being written at this moment, or was never finished.
UNKNOWN = Claimant("", 0, "")


def describe_process() -> Claimant:
    """A new run of this process."""
    return Claimant(socket.gethostname(), os.getpid(), uuid.uuid4().hex, _find_process_space())


def _find_process_space() -> str:
    try:
        boot = BOOT_ID.read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115  # no path, but a name
    except OSError:
        return f"{uuid.getnode():x}"


@dataclass(frozen=True, slots=True)
class _SeenClaim:
    """A claim as it was found: who holds it, and when that was written by the folder's clock."""

    claimant: Claimant
    written_ns: int


def find_folder_time(folder: Path) -> float:
    """The time by the clock that stamps files in this folder (seconds since 1970). Raises
    OSError."""
    with open_part(folder) as file:
        part = Path(file.name)
        file.write(b".")
    try:
        return part.stat().st_mtime
    finally:
        remove_file(part)


class Claims:
    """The claims of one run. Methods touch the disk, and may be called in threads; `folder_time`,
    `clock`, `lives`, `replace` and `sleep` stand for the folders' clock, ours, whether a process is
    there, and the system's."""

    def __init__(
        self,
        claimant: Claimant | None = None,
        *,
        folder_time: Callable[[Path], float] = find_folder_time,
        clock: Callable[[], float] = time.monotonic,
        lives: Callable[[int], bool] = is_running,
        replace: Callable[[Path, Path], None] = os.replace,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.claimant = claimant or describe_process()
        self._content = json.dumps(asdict(self.claimant)).encode()
        self._folder_time, self._clock, self._lives = folder_time, clock, lives
        self._replace, self._sleep = replace, sleep
        self._held: set[Path] = set()
        self._times: dict[int, tuple[float, float]] = {}  # of each disk: theirs, and ours then
        self._lock = threading.Lock()

    def take(self, path: Path) -> Claimant | None:
        """Claims what nobody holds: None where it is ours now, else who holds it. Raises
        OSError."""
        if path in self._held:
            return None
        holder = UNKNOWN
        for _ in range(_TRIES):
            try:
                self._create(path)
            except FileExistsError:
                seen = _look_at(path)
            else:
                break
            if seen is None:
                continue  # it was let go of at this moment
            holder = seen.claimant
            if not self._is_dead(path, seen):
                return holder
            if self._inherit(path, seen):
                break
        else:
            return holder
        with self._lock:
            self._held.add(path)
        return None

    def take_all(self, paths: Iterable[Path]) -> Claimant | None:
        """Claims all of these or none; otherwise as `take`."""
        taken: list[Path] = []
        for path in sorted(paths):
            holder = self.take(path)
            if holder is not None:
                for each in taken:
                    self.release(each)
                return holder
            taken.append(path)
        return None

    def is_held(self, path: Path) -> bool:
        """Whether a run that lives holds this claim. Raises OSError."""
        seen = _look_at(path)
        return seen is not None and not self._is_dead(path, seen)

    def release(self, path: Path) -> None:
        """Lets go of a claim, unless another run has taken it over meanwhile."""
        with self._lock:
            self._held.discard(path)
        with contextlib.suppress(OSError):  # what stays is dead soon
            seen = _look_at(path)
            if seen is not None and seen.claimant.run == self.claimant.run:
                path.unlink()

    def release_all(self) -> None:
        """Lets go of all."""
        for path in tuple(self._held):
            self.release(path)

    def renew(self) -> None:
        """Shows that this run lives. What another one has taken over is theirs: this run was away
        for long."""
        for path in tuple(self._held):
            try:
                with path.open("r+b") as file:
                    lost = file.read() != self._content
                    if not lost:
                        file.seek(0)
                        file.write(self._content)
            except FileNotFoundError:
                lost = True
            except OSError:  # the folder is away; it may come back in time
                continue
            if lost:
                with self._lock:
                    self._held.discard(path)

    async def keep_alive(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Renews all claims again and again, for ever."""
        while True:
            await sleep(HEARTBEAT_S)
            await asyncio.to_thread(self.renew)

    def sweep(self, paths: Iterable[Path]) -> None:
        """Removes those of these claims (or heirs of claims) that are dead. Raises OSError."""
        for path in paths:
            if path.exists() and not self.is_held(path) and self.take(path) is None:
                self.release(path)

    def _create(self, path: Path) -> None:
        """A new file with our name. Raises FileExistsError, OSError."""
        try:
            file = path.open("xb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("xb")
        try:
            with file:
                file.write(self._content)
        except OSError:  # a full disk
            remove_file(path)
            raise

    def _inherit(self, path: Path, dead: _SeenClaim) -> bool:
        """Takes a dead claim over, if no other run does."""
        heir = path.with_name(path.name + _HEIR)
        try:
            self._create(heir)
        except FileExistsError:
            other = _look_at(heir)
            if other is not None and self._is_dead(path, other):
                remove_file(heir)
            return False
        try:
            if _look_at(path) != dead:
                remove_file(heir)
                return False
            rename_patiently(heir, path, self._replace, self._sleep)
        except OSError:
            remove_file(heir)
            raise
        return True

    def _is_dead(self, path: Path, seen: _SeenClaim) -> bool:
        claimant = seen.claimant
        is_here = claimant.process and claimant.is_beside(self.claimant)
        if is_here and not self._lives(claimant.process):
            return True
        if not self._is_stale(path.parent, seen):
            return False
        self._times.clear()  # this machine may have slept, and its clock with it
        return self._is_stale(path.parent, seen)

    def _is_stale(self, folder: Path, seen: _SeenClaim) -> bool:
        # A claim of the future is as little renewed as an old one: the folder's clock was set back.
        return abs(self._find_time(folder) - seen.written_ns / 1e9) > STALE_S

    def _find_time(self, folder: Path) -> float:
        disk, now = folder.stat().st_dev, self._clock()
        theirs, ours = self._times.get(disk, (0.0, now - 2 * _CLOCK_KEPT_S))
        if now - ours >= _CLOCK_KEPT_S:
            theirs, ours = self._folder_time(folder), now
            self._times[disk] = theirs, ours
        return theirs + now - ours


def _look_at(path: Path) -> _SeenClaim | None:
    """The claim as it is now; None where there is none. Raises OSError."""
    try:
        with path.open("rb") as file:
            written_ns = os.fstat(file.fileno()).st_mtime_ns
            content = file.read()
    except FileNotFoundError:
        return None
    return _SeenClaim(_parse_claimant(content), written_ns)


def _parse_claimant(content: bytes) -> Claimant:
    try:
        found = json.loads(content)
        return Claimant(
            str(found["host"]), int(found["process"]), str(found["run"]), str(found["space"])
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return UNKNOWN
