"""The lines that a regular expression of the user's chooses, in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable

from tts_book.errors import UserError

BUDGET_S = 5.0
"""For all lines of a book; any reasonable expression takes a few milliseconds."""


class Chosen:
    """Whether a line begins as the expression says. `matched` counts the lines that did.

    Raises UserError for an expression that is none, or that takes too long.
    """

    def __init__(
        self,
        expression: str,
        budget_s: float = BUDGET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import regex

        self._expression = expression
        self._left_s, self._clock = budget_s, clock
        self.matched = 0
        try:
            self._pattern = regex.compile(expression)
        except (regex.error, OverflowError, RecursionError) as error:
            raise UserError(
                f'--chapters "{expression}" is no regular expression: {error}'
            ) from None

    def __call__(self, line: str) -> bool:
        began_s = self._clock()
        try:
            found = self._pattern.match(line, timeout=max(self._left_s, 0.001)) is not None
        except TimeoutError:
            raise UserError(
                f'--chapters "{self._expression}" takes too long: repeat nothing that repeats '
                "itself, as (a+)+ does"
            ) from None
        self._left_s -= self._clock() - began_s
        self.matched += found
        return found
