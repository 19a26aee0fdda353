"""Speaks one chunk, with every remedy: again, alone, later, in halves, until whole or given up.

What to do after a failure is decided by `retry_policy`, how many may try at once by
`rate_limiter`, what may be missing from a reply by its backend; here all of it is carried out
against the real (or a test's) clock.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tts_book import events
from tts_book.backends import (
    Backend,
    Examined,
    JudgingBackend,
    Preconnecting,
    ProofTexts,
    SoundFinding,
    Span,
    Verdict,
)
from tts_book.errors import (
    BackendError,
    BackendIncomplete,
    BackendUnavailable,
    Failure,
)
from tts_book.events import Listener
from tts_book.model import Doubt, DoubtKind, Speech, Voice
from tts_book.synthesis import rate_limiter, retry_policy
from tts_book.synthesis.rate_limiter import Gate, Tools
from tts_book.synthesis.spoken_audio import (
    ChunkCall,
    SpokenAudio,
    join_halves,
    make_silence,
    measure_speech,
)
from tts_book.text.sentences import split_in_half

T = TypeVar("T")
_LOG = logging.getLogger("tts_book.pool")

# Sound is decoded to be measured: about 30 MB a piece, and a thread's memory comes back to it
# alone. Two keep up with any service, and with an engine on 16 cores, as encoding takes 5 % of what
# speaking takes; asyncio's own threads, six and more, held 250 MB.
MEASURED_AT_ONCE, MEASURED_SHARE = 2, 8
# Two replies are alike if they differ by no more than a frame.
ALIKE_MS = 24
# Words are not spoken if a text with them is as long as without them, but for two frames.
SAME_S = 0.048
# Halves add up to a whole that is no longer than they are by this share, and no shorter by the
# other (and two frames): what is cut off may be little.
LONGER_SHARE, SHORTER_SHARE = 0.03, 0.005
# Proofs for one reply: each costs two short requests.
MOST_PROOFS, PROOF_TRIES = 4, 3


@dataclass(frozen=True, slots=True)
class _FinishedReply:
    """A finished reply: what is kept of it, and what may be missing. `examined` is None where the
    backend is always right."""

    audio: SpokenAudio
    verdict: Verdict | None = None
    examined: Examined | None = None

    @property
    def findings(self) -> tuple[SoundFinding, ...]:
        return self.verdict.findings if self.verdict else ()

    def with_doubt(self, kind: DoubtKind, what: str) -> SpokenAudio:
        """The sound, kept in spite of what was found."""
        return replace(self.audio, doubts=(*self.audio.doubts, Doubt(kind, what)))


@dataclass(slots=True)
class _ChunkHistory:
    """What was tried with one text: failures by their class, and finished replies with findings."""

    tries: Counter[Failure] = field(default_factory=Counter)
    answers: list[_FinishedReply] = field(default_factory=list)
    lengths_ms: list[tuple[int, ...]] = field(default_factory=list)
    alone: bool = False

    def repeated(self, answer: _FinishedReply) -> bool:
        """Whether an earlier reply had findings of the same kind (for words: in the same place)."""
        return any(_alike(one, other) for one in answer.findings for other in self._findings())

    def repeated_speech(self, error: BackendError) -> Speech | None:
        """The speech of a suspicious reply whose lengths came before, with its doubt: for backends
        that do not judge their replies by others."""
        if not isinstance(error, BackendIncomplete) or not isinstance(error.speech, Speech):
            return None
        lengths = error.print_of_reply
        known = any(_are_near(lengths, other) for other in self.lengths_ms)
        self.lengths_ms.append(lengths)
        return replace(error.speech, doubts=(Doubt(DoubtKind.ODD, str(error)),)) if known else None

    def lacked(self, span: Span) -> bool:
        """Whether an earlier reply had no sound for these characters."""
        spans = (known for finding in self._findings() for known in finding.spans)
        return any(known[0] < span[1] and known[1] > span[0] for known in spans)

    def _findings(self) -> Iterable[SoundFinding]:
        return (finding for earlier in self.answers for finding in earlier.findings)


def _are_near(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(one) == len(other) and all(
        abs(a - b) <= ALIKE_MS for a, b in zip(one, other, strict=True)
    )


def _alike(one: SoundFinding, other: SoundFinding) -> bool:
    if one.kind != other.kind:
        return False
    if not one.spans:
        return True
    return any(a[0] < b[1] and a[1] > b[0] for a in one.spans for b in other.spans)


class ChunkSpeaker:
    """Speaks with one backend, for the whole run."""

    def __init__(self, backend: Backend, tell: Listener, tools: Tools) -> None:
        most = tools.workers or backend.limits.most
        self._backend, self._tell, self._tools = backend, tell, tools
        self._limit = rate_limiter.Limit(min(backend.limits.start, most), most)
        self._circuit = retry_policy.Circuit(tools.clock())
        self._gate = Gate(self._limit.now, backend.limits.spacing_s, tools)
        at_once = max(min(MEASURED_AT_ONCE, most), most // MEASURED_SHARE)
        self._measuring = ThreadPoolExecutor(at_once, "measuring")
        self.most = most
        self._letting_in: asyncio.Task[None] | None = None
        self._stopped_by: BackendError | None = None
        self._judge = backend if isinstance(backend, JudgingBackend) else None
        # Replies whose voice is not known yet, with those who wait for the verdict.
        self._undecided: list[tuple[Examined, asyncio.Future[Verdict]]] = []
        self._speaking = 0
        self._proving = asyncio.Lock()
        self._proof_texts: defaultdict[tuple[Voice, str], list[Verdict]] = defaultdict(list)
        self._proof_tries: Counter[tuple[Voice, str]] = Counter()
        self._noted: set[tuple[str, str]] = set()

    async def speak(self, call: ChunkCall) -> SpokenAudio:
        """The chunk's `spoken` text as one take. Raises BackendError where no remedy helps."""
        text = call.chunk.spoken
        if not any(character.isalnum() for character in text):
            return await self._measured(make_silence)
        if self._letting_in is None:
            self._letting_in = asyncio.create_task(self._gate.run())
        self._speaking += 1
        try:
            return await self._say(call, text, 0)
        finally:
            self._speaking -= 1
            self._settle_if_idle()

    async def close(self) -> None:
        """Ends the gate's task and the threads."""
        self._measuring.shutdown(wait=False, cancel_futures=True)
        if self._letting_in is not None:
            self._letting_in.cancel()
            await asyncio.gather(self._letting_in, return_exceptions=True)

    async def _say(self, call: ChunkCall, text: str, depth: int) -> SpokenAudio:
        history = _ChunkHistory()
        while True:
            try:
                answer = await self._try(call, text, history.tries.total() + 1, history.alone)
            except BackendError as error:
                kept = await self._after_failure(call, text, depth, history, error)
            else:
                kept = await self._after_reply(call, text, depth, history, answer)
            if kept is not None:
                return kept

    async def _after_failure(
        self, call: ChunkCall, text: str, depth: int, history: _ChunkHistory, error: BackendError
    ) -> SpokenAudio | None:
        """The text by another way, or None to try again. Raises the error where nothing helps."""
        history.tries[error.failure] += 1
        attempts = history.tries.total()
        if error.failure is Failure.NO_AUDIO and self._judge is not None:
            silent = self._judge.says_nothing_of(text, call.voice, history.tries[error.failure])
            if silent is not None:
                _LOG.debug("nothing is said of it: %s", silent.what)
                nothing = await self._measured(make_silence)
                return replace(nothing, doubts=(silent,), attempts=attempts)
        # A whole chunk is halved before it is believed: what the text does, a half of it does
        # again; what chance did to two replies alike, it hardly does to four.
        small = depth > 0 or split_in_half(text) is None
        if (speech := history.repeated_speech(error)) is not None and small:
            _LOG.debug("came twice the same and is kept: %s", error)
            return await self._measured(measure_speech, speech, attempts)
        decision = self._decide(error, history.tries[error.failure], depth)
        if isinstance(decision, retry_policy.Split) and (parts := split_in_half(text)) is not None:
            _LOG.debug("spoken in halves from now on: %s", error)
            halves = await self._in_halves(call, parts, depth + 1)
            return await self._measured(join_halves, halves, parts[1], attempts)
        if not isinstance(decision, retry_policy.TryAgain):
            raise error
        history.alone = decision.alone
        await self._wait(call, error, decision, attempts)
        return None

    async def _after_reply(
        self, call: ChunkCall, text: str, depth: int, history: _ChunkHistory, answer: _FinishedReply
    ) -> SpokenAudio | None:
        """A finished reply, if nothing is missing or a proof says so; None to try again. Raises
        BackendIncomplete where it stays incomplete."""
        answer = await self._prove_words(call, text, history, answer)
        if not answer.findings or answer.verdict is None:
            self._report_notes()
            return answer.audio
        error = BackendIncomplete(f"The reply is incomplete: {answer.verdict.reasons}.")
        self._learn_damage(error)
        history.tries[error.failure] += 1
        repeated = history.repeated(answer)
        history.answers.append(answer)
        # Halves tell more than another try. What has none is short: more tries cost little.
        parts = split_in_half(text)
        tries = history.tries[error.failure]
        decision = self._decide(error, tries if parts is not None else (tries + 1) // 2, depth)
        if isinstance(decision, retry_policy.TryAgain) and (not repeated or parts is None):
            history.alone = decision.alone
            await self._wait(call, error, decision, history.tries.total())
            return None
        if parts is not None and depth < retry_policy.INCOMPLETE_DEPTH:
            return await self._compare_halves(call, parts, depth, history, answer)
        if any(finding.certain for finding in answer.findings):
            raise error
        _LOG.debug("kept in doubt: %s", answer.verdict.reasons)
        return answer.with_doubt(DoubtKind.SOUND, answer.verdict.reasons)

    async def _compare_halves(
        self,
        call: ChunkCall,
        parts: tuple[str, int, str],
        depth: int,
        history: _ChunkHistory,
        answer: _FinishedReply,
    ) -> SpokenAudio:
        """The text in halves; the whole, if what was found in it is the text's own way to sound:
        its halves show nothing and add up to it. That two replies are alike proves nothing, since
        some cuts repeat; and a damaged reply may be as long as a whole one."""
        verdict, examined = answer.verdict, answer.examined
        assert verdict is not None
        _LOG.debug("spoken in halves: %s", verdict.reasons)
        halves = await self._in_halves(call, parts, depth + 1)
        joined = await self._measured(join_halves, halves, parts[1], history.tries.total())
        in_doubt = any(doubt.kind is DoubtKind.SOUND for doubt in joined.doubts)
        lacks_sound = any(finding.spans or finding.damage for finding in verdict.findings)
        sum_s = sum(half.speech_s for half in halves)
        fits = (
            (1 - SHORTER_SHARE) * sum_s - SAME_S <= verdict.speech_s <= (1 + LONGER_SHARE) * sum_s
        )
        if in_doubt or lacks_sound or not fits or self._judge is None or examined is None:
            return joined
        _LOG.debug("its halves add up to it: kept as it came")
        self._judge.prove_text(examined, verdict.kinds)
        kept = answer.with_doubt(DoubtKind.ODD, f"sounds odd, and is complete: {verdict.reasons}")
        return replace(kept, attempts=joined.attempts)

    async def _try(self, call: ChunkCall, text: str, attempt: int, alone: bool) -> _FinishedReply:
        """One request, and the verdict on its reply. Raises BackendError."""
        events.CURRENT_CHUNK.set(f"{call.chunk.chapter}/{call.chunk.number}")
        if self._judge is None:
            speech = await self._request(
                call, attempt, alone, lambda: self._backend.speak(text, call.voice)
            )
            return _FinishedReply(await self._finish(measure_speech, speech, attempt))
        judge = self._judge
        heard = await self._request(call, attempt, alone, lambda: judge.hear(text, call.voice))
        # The place inside is free again: the service need not wait for our arithmetic.
        examined = await self._finish(heard.examine)
        verdict = await self._find_verdict(examined)
        return _answer(verdict, examined, attempt)

    async def _request(
        self, call: ChunkCall, attempt: int, alone: bool, ask: Callable[[], Awaitable[T]]
    ) -> T:
        async with self._gate.enter(call.order, alone=alone):
            if self._stopped_by is not None:
                raise self._stopped_by
            self._tell(self._started(call, attempt))
            if isinstance(self._backend, Preconnecting) and self._gate.has_waiters:
                self._backend.preconnect()
            try:
                return await ask()
            except BackendError as error:
                self._learn(error)
                raise

    async def _finish(self, work: Callable[..., T], *arguments: object) -> T:
        """Works on what came, in a thread; whatever it finds, the service has answered."""
        try:
            done = await self._measured(work, *arguments)
        except BackendError as error:
            self._learn_damage(error)
            raise
        self._learn(None)
        return done

    async def _measured(self, work: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._measuring, work, *arguments)

    # Verdicts: the first replies of a voice are judged together

    async def _find_verdict(self, examined: Examined) -> Verdict:
        """The verdict on a reply, as soon as enough is known of its voice."""
        assert self._judge is not None
        self._judge.enter(examined)
        self._decide_waiting()
        verdict = self._judge.judge(examined)
        if verdict is not None:
            return verdict
        waiting: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._undecided.append((examined, waiting))
        self._settle_if_idle()
        return await waiting

    def _decide_waiting(self) -> None:
        assert self._judge is not None
        undecided, self._undecided = self._undecided, []
        for examined, waiting in undecided:
            verdict = self._judge.judge(examined)
            if verdict is None:
                self._undecided.append((examined, waiting))
            elif not waiting.done():
                waiting.set_result(verdict)

    def _settle_if_idle(self) -> None:
        """Where everybody waits for a verdict, no more replies will come: they are judged by what
        is known."""
        if self._judge is not None and self._undecided and len(self._undecided) >= self._speaking:
            self._judge.settle()
            self._decide_waiting()

    def _report_notes(self) -> None:
        """Says once what was learned of the voices."""
        for voice, note in self._judge.notes() if self._judge is not None else ():
            if (voice, note) not in self._noted:
                self._noted.add((voice, note))
                self._tell(events.VoiceNoted(self._backend.name, voice, note))

    # Words that a voice cannot say

    async def _prove_words(
        self, call: ChunkCall, text: str, history: _ChunkHistory, answer: _FinishedReply
    ) -> _FinishedReply:
        """The reply judged again after it was tried whether the voice says the words that it
        lacks: those of which it seems to say none, and those that it lacked before."""
        if self._judge is None or answer.examined is None:
            return answer
        for _ in range(MOST_PROOFS):
            if not _doubtful_spans(history, answer):
                return answer
            async with self._proving:  # what one chunk proves spares the others their proofs
                answer = self._judged_again(answer)
                spans = _doubtful_spans(history, answer)
                if not spans or not await self._prove(call, text, answer, spans):
                    return answer
                answer = self._judged_again(answer)
        return answer

    def _judged_again(self, answer: _FinishedReply) -> _FinishedReply:
        assert self._judge is not None
        assert answer.examined is not None
        verdict = self._judge.judge(answer.examined)
        assert verdict is not None
        return _answer(verdict, answer.examined, answer.audio.attempts)

    async def _prove(
        self, call: ChunkCall, text: str, answer: _FinishedReply, spans: Sequence[Span]
    ) -> bool:
        """Whether it could be told from sound if the voice says the first of these characters:
        with the others that stand near, which costs no more, else alone."""
        assert self._judge is not None
        assert answer.verdict is not None
        examined, lacking = answer.examined, _lacking(answer.verdict, text)
        common = any(spans[0] in finding.suspected for finding in answer.findings)
        assert examined is not None
        tried: ProofTexts | None = None
        for others in (spans[1:], ()):
            texts = self._judge.proof_texts(examined, spans[0], others)
            if texts is None or texts == tried:
                return False
            tried = texts
            spoken = [
                # What several texts of its kind lack is no accident; else one more reply shows it.
                await self._speak_for_proof(call, texts.with_words, lacking, 1 if common else 2),
                await self._speak_for_proof(call, texts.without_words, lacking, 1),
            ]
            if spoken[0] is None or spoken[1] is None or not spoken[0].findings:
                return (
                    False  # if it lacks nothing: it can say them; they are missing from this reply
                )
            if abs(spoken[0].speech_s - spoken[1].speech_s) <= SAME_S:
                for span in texts.spans:
                    self._judge.prove_unspoken(examined, span)
                return True
            if len(texts.spans) == 1:
                self._judge.prove_spoken(examined, spans[0])
                return True
        return False

    async def _speak_for_proof(
        self, call: ChunkCall, text: str, may_lack: frozenset[str], times: int
    ) -> Verdict | None:
        """A short text, spoken for a proof: so often, if something is found in it. None where it
        cannot be had without damage (it may lack nothing but what another reply lacks too), and
        where its replies differ: a proof may be damaged as any other reply."""
        known = call.voice, text
        spoken = self._proof_texts[known]
        while self._proof_tries[known] < PROOF_TRIES + times - 1:
            if len(spoken) >= times or (spoken and not spoken[0].findings):
                break
            self._proof_tries[known] += 1
            try:
                verdict = await self._try_proof_text(call, text, self._proof_tries[known])
            except BackendError as error:
                _LOG.debug("a text for a proof was not spoken: %s", error)
                continue
            damaged = any(finding.certain for finding in verdict.findings)
            if not damaged and _lacking(verdict, text) <= may_lack:
                spoken.append(verdict)
        alike = all(
            bool(other.findings) == bool(spoken[0].findings)
            and abs(other.speech_s - spoken[0].speech_s) <= SAME_S
            for other in spoken[1:]
        )
        enough = len(spoken) >= times or (spoken and not spoken[0].findings)
        return spoken[0] if enough and alike else None

    async def _try_proof_text(self, call: ChunkCall, text: str, attempt: int) -> Verdict:
        assert self._judge is not None
        judge = self._judge
        heard = await self._request(call, attempt, True, lambda: judge.hear(text, call.voice))
        verdict = judge.judge(await self._finish(heard.examine))
        assert verdict is not None  # proofs are made of voices that are known
        return verdict

    def _started(self, call: ChunkCall, attempt: int) -> events.ChunkStarted:
        chunk = call.chunk
        return events.ChunkStarted(
            call.book,
            chunk.chapter,
            chunk.number,
            attempt,
            self._gate.in_flight,
            call.book_id,
        )

    def _learn(self, error: BackendError | None) -> None:
        """What a try says about the service: how many at once, and whether it is still there."""
        now_s = self._tools.clock()
        failure = error.failure if error else None
        reason = str(failure) if failure else "all is well"
        self._set_limit(self._limit.after(failure, now_s), reason)
        if failure is None:
            self._circuit = self._circuit.after_success(now_s)
        elif failure not in _OF_THE_TEXT:
            self._circuit = self._circuit.after_failure(failure, now_s)

    def _learn_damage(self, error: BackendError) -> None:
        """A finished reply of which something is missing: the load may be to blame, but the
        service is there."""
        now_s = self._tools.clock()
        self._set_limit(self._limit.after(error.failure, now_s), str(error.failure))
        self._circuit = self._circuit.after_success(now_s)

    def _set_limit(self, limit: rate_limiter.Limit, reason: str) -> None:
        before, self._limit = self._limit.now, limit
        if limit.now != before:
            self._gate.set_limit(limit.now)
            self._tell(events.LimitChanged(self._backend.name, limit.now, reason))

    def _decide(self, error: BackendError, attempt: int, depth: int) -> retry_policy.Decision:
        if error is self._stopped_by:
            return retry_policy.GiveUp()
        after_s = error.retry_after_s if isinstance(error, BackendUnavailable) else None
        decision = retry_policy.decide(
            error.failure,
            attempt,
            random=self._tools.random,
            retry_after_s=after_s,
            consecutive_overloads=self._circuit.consecutive_overloads,
            failures_in_row=self._circuit.failures_in_row,
            depth=depth,
        )
        if isinstance(decision, retry_policy.GiveUp) and decision.stops_run:
            self._stop(error, str(error))
            return decision
        reason = self._circuit.stops(self._tools.clock())
        if self._tools.wait and error.failure in _OF_THE_LINE:
            # One piece asks once a minute, everybody else waits for it.
            gone = reason or isinstance(decision, retry_policy.GiveUp)
            return (
                retry_policy.TryAgain(retry_policy.PROBE_EVERY_S, True, True) if gone else decision
            )
        if reason:
            self._stop(error, f"The service is given up: {reason}. The last answer was: {error}")
            return retry_policy.GiveUp(stops_run=True)
        return decision

    def _stop(self, error: BackendError, reason: str) -> None:
        if self._stopped_by is None:
            _LOG.debug("%s is given up: %s", self._backend.name, reason)
            self._stopped_by = BackendUnavailable(reason, error.failure, stops_run=True)
            self._gate.open_wide()

    @property
    def stopped(self) -> str:
        """Why the run can get no more from this backend, or ""."""
        return str(self._stopped_by) if self._stopped_by else ""

    async def _wait(
        self, call: ChunkCall, error: BackendError, decision: retry_policy.TryAgain, attempt: int
    ) -> None:
        chunk = call.chunk
        self._tell(
            events.ChunkRetried(
                call.book,
                chunk.chapter,
                chunk.number,
                attempt,
                str(error.failure),
                str(error),
                decision.wait_s,
                call.book_id,
            )
        )
        if decision.pause_all:
            self._gate.pause(decision.wait_s)
            self._tell(
                events.LimitChanged(
                    self._backend.name, self._limit.now, str(error), decision.wait_s
                )
            )
        else:
            await self._tools.sleep(decision.wait_s)

    async def _in_halves(
        self, call: ChunkCall, parts: tuple[str, int, str], depth: int
    ) -> list[SpokenAudio]:
        left, _, right = parts
        return [await self._say(call, left, depth), await self._say(call, right, depth)]


def _answer(verdict: Verdict, examined: Examined, attempt: int) -> _FinishedReply:
    speech = verdict.speech
    kept = SpokenAudio(
        speech.audio, verdict.sound, speech.marks, speech.doubts, attempt, verdict.speech_s
    )
    return _FinishedReply(kept, verdict, examined)


def _lacking(verdict: Verdict, text: str) -> frozenset[str]:
    """The words of a text that its reply seems to lack."""
    lacks = [span for finding in verdict.findings for span in finding.spans]
    words = ((found.start(), found.end(), found[0]) for found in re.finditer(r"\S+", text))
    return frozenset(w for start, stop, w in words if any(a < stop and b > start for a, b in lacks))


def _doubtful_spans(history: _ChunkHistory, answer: _FinishedReply) -> list[Span]:
    """The words of a reply that are worth a proof, those first of which the voice seems to say
    none of the kind."""
    suspected = {span for finding in answer.findings for span in finding.suspected}
    lacked = {s for finding in answer.findings for s in finding.spans if history.lacked(s)}
    return [*sorted(suspected), *sorted(lacked - suspected)]


# A text's length says nothing about whether the service is there. A bad request may: a service
# that calls every text malformed has changed, and the next chunk that is spoken takes it back.
_OF_THE_TEXT = frozenset({Failure.TOO_LONG})


# What a line or a service may recover from, given time.
_OF_THE_LINE = frozenset({Failure.TRANSIENT, Failure.OVERLOAD})
