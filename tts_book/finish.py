"""What becomes of a spoken book: how loud it is, in which files it is put, what goes with them."""

from __future__ import annotations

from dataclasses import dataclass

from tts_book.errors import UserError

LOUDNESS_LUFS = -19.0
LOUDEST_LUFS, SOFTEST_LUFS = -9.0, -40.0


@dataclass(frozen=True, slots=True)
class Finish:
    """How a book is finished. `loudness_lufs` None leaves the sound as it came."""

    loudness_lufs: float | None = LOUDNESS_LUFS


def loudness(text: str) -> float | None:
    """What --loudness asks for: LUFS, or None for "off". Raises UserError."""
    if text.strip().lower() == "off":
        return None
    number = text.strip().upper().removesuffix("LUFS").strip().replace("−", "-")
    try:
        lufs = float(number)
    except ValueError:
        lufs = 0.0
    if not SOFTEST_LUFS <= lufs <= LOUDEST_LUFS:
        raise UserError(
            f'--loudness "{text}" is no loudness: LUFS from {SOFTEST_LUFS:.0f} to '
            f"{LOUDEST_LUFS:.0f} (audiobooks have -23 to -18), or off."
        )
    return lufs
