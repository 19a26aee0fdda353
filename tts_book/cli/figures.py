"""Numbers as people read them."""

from __future__ import annotations


def format_duration(ms: float) -> str:
    """A length as h:mm:ss."""
    seconds = round(ms / 1_000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def format_number(number: int) -> str:
    """A number with its thousands separated."""
    return f"{number:,}"


def format_count(number: int, thing: str) -> str:
    """A number of things: "1 chunk", "1,204 chunks"."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def format_share(some: int, all_of: int, things: str) -> str:
    """So many of all: "1 of 3 chunks is", "2 of 3 chunks are"."""
    thing = things.removesuffix("s") if all_of == 1 else things
    verb = "is" if 1 in (some, all_of) else "are"
    return f"{some:,} of {all_of:,} {thing} {verb}"
