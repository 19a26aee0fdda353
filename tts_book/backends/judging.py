"""The interface between a backend whose replies can be wrong and its callers: what a reply showed.

A reply of such a backend is heard, examined (in a thread) and judged. Judging may have to wait for
other replies of the same voice: what they all show is a trait of the voice, what few show may be
damage. The caller has faulty replies spoken again, and reports to the backend what that proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tts_book.model import Doubt, Sound, Speech, Voice

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SoundFinding:
    """A sign that sound may be missing: its `kind` (equal for signs of the same sort) and a few
    words for people. `certain`: a reply that shows it to the last is not used. `damage`: bytes are
    missing or wrong, which no way to sound explains. `spans` are the characters of the sent text
    that seem not to be spoken, `suspected` those of a kind of which the voice seems to say none."""

    kind: str
    what: str
    certain: bool = True
    damage: bool = False
    spans: tuple[Span, ...] = ()
    suspected: frozenset[Span] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reply and what may be missing from it. `speech_s` is how long somebody speaks in it."""

    speech: Speech
    sound: Sound
    speech_s: float
    findings: tuple[SoundFinding, ...] = ()

    @property
    def kinds(self) -> frozenset[str]:
        """The sorts of its findings."""
        return frozenset(finding.kind for finding in self.findings)

    @property
    def reasons(self) -> str:
        """All findings in one line."""
        return "; ".join(finding.what for finding in self.findings)


@dataclass(frozen=True, slots=True)
class ProofTexts:
    """Two short texts whose sound tells whether `spans` of a reply's text are spoken: one with
    these characters, one without them."""

    with_words: str
    without_words: str
    spans: tuple[Span, ...]


class Examined(Protocol):
    """A reply, measured; only its backend looks inside."""


class Heard(Protocol):
    """A reply as it came, all of it."""

    def examine(self) -> Examined:
        """Measures the reply; takes a while, for a thread. Raises BackendIncomplete where there is
        no sound in it that could be used."""
        ...


@runtime_checkable
class JudgingBackend(Protocol):
    """A backend that judges its replies by what their voice always does."""

    async def hear(self, text: str, voice: Voice) -> Heard:
        """One request. Raises BackendError where no complete answer comes."""
        ...

    def enter(self, examined: Examined) -> None:
        """Counts a reply among those of its voice."""
        ...

    def judge(self, examined: Examined) -> Verdict | None:
        """What may be missing from the reply; None as long as too few are known of its voice."""
        ...

    def settle(self) -> None:
        """No more replies will come for now: from here on the voices are judged by those known."""
        ...

    def proof_texts(
        self, examined: Examined, span: Span, others: Sequence[Span]
    ) -> ProofTexts | None:
        """Texts that tell whether these characters of the reply's text are spoken, and those of
        the `others` that stand near to them. None where nothing else would be left."""
        ...

    def prove_unspoken(self, examined: Examined, span: Span) -> None:
        """The sound with and without these characters is the same: the voice does not say them."""
        ...

    def prove_spoken(self, examined: Examined, span: Span) -> None:
        """These characters are heard although the marks leave them no time."""
        ...

    def prove_text(self, examined: Examined, kinds: Iterable[str]) -> None:
        """The halves of the text add up to the reply: the findings are the text's own way."""
        ...

    def says_nothing_of(self, text: str, voice: Voice, attempts: int) -> Doubt | None:
        """Whether an answer without sound, after so many attempts, is all that this voice has to
        say of `text`; the doubt names it."""
        ...

    def notes(self) -> tuple[tuple[str, str], ...]:
        """What was learned of the voices that users should know: (voice, one line)."""
        ...
