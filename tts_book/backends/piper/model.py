"""Piper and onnxruntime: models loaded and made to speak, their errors made ours."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from tts_book.errors import BackendError, BackendRefused, BackendUnavailable, Failure

# Newer versions of onnxruntime keep a number for this machine and report to Microsoft, unless
# this is set before they are imported. A voice on this machine reports to nobody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

INSTALL = 'pip install "tts-book[offline]"'

# Samples below this are taken for silence at the ends of a sentence (about -43 dB).
_QUIET = 230

# A second output of the graph, as protobuf: how many frames each phoneme lasts. Repeated fields of
# a message add up, so that it can be appended to the model as it is.
_DURATIONS = b"/Ceil_output_0"
_DURATIONS_OUTPUT = (
    bytes([0x3A, len(_DURATIONS) + 4, 0x62, len(_DURATIONS) + 2, 0x0A, len(_DURATIONS)])
    + _DURATIONS
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How to speak: `slowness` is 1 at the voice's own rate, 2 at half of it; `volume` is a factor;
    `steady` leaves out all chance."""

    slowness: float = 1.0
    volume: float = 1.0
    speaker: int | None = None
    steady: bool = False


@dataclass(frozen=True, slots=True)
class TimedPhoneme:
    """A phoneme and the samples it takes, with the silence after it."""

    phoneme: str
    samples: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """Mono 16-bit little-endian PCM. Samples `begins` to `ends` are louder than silence; `timed`
    adds up to all samples, or is empty where the model does not tell."""

    audio: bytes
    begins: int
    ends: int
    timed: tuple[TimedPhoneme, ...] = ()


class Model(Protocol):
    """A loaded voice; `speak` may be called by several threads at once."""

    rate_hz: int

    def speak(self, text: str, delivery: Delivery) -> list[Utterance]:
        """Speaks a sentence or a clause, in one or several utterances. Raises BackendError."""
        ...


class PiperModel:
    """A voice in onnxruntime, one core for each call."""

    def __init__(self, model: Path, config: Path) -> None:
        with translate_errors(f"The voice {model.name} cannot be used"):
            from piper import PiperConfig, PiperVoice

            settings = PiperConfig.from_dict(json.loads(config.read_text("utf-8")))
            self._voice = PiperVoice(
                session=_session(model), config=settings, download_dir=model.parent
            )
        self.rate_hz = int(settings.sample_rate)
        self._usual_length = float(settings.length_scale)

    def speak(self, text: str, delivery: Delivery) -> list[Utterance]:
        """Speaks `text`; gives nothing where Piper finds nothing to say."""
        with translate_errors("Piper failed at this text"):
            from piper.config import SynthesisConfig

            chance = 0.0 if delivery.steady else None
            settings = SynthesisConfig(
                speaker_id=delivery.speaker,
                length_scale=self._usual_length * delivery.slowness,
                noise_scale=chance,
                noise_w_scale=chance,
                # True would make every whisper as loud as a shout.
                normalize_audio=False,
                volume=delivery.volume,
            )
            chunks = self._voice.synthesize(text, settings, include_alignments=True)
            return [_utterance(chunk) for chunk in chunks]


def _session(model: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # No two texts have one shape: patterns of memory would only be kept, a tenth of all of it.
    options.enable_mem_pattern = False
    kind = _exceptions()
    providers = ["CPUExecutionProvider"]
    known = model.read_bytes()
    try:
        return onnxruntime.InferenceSession(
            known + _DURATIONS_OUTPUT, sess_options=options, providers=providers
        )
    except (kind["Fail"], kind["InvalidGraph"], kind["InvalidArgument"]):
        # A model of another make: it speaks all the same, only without the times of its phonemes.
        return onnxruntime.InferenceSession(known, sess_options=options, providers=providers)


def _utterance(chunk: Any) -> Utterance:
    samples = chunk.audio_int16_array
    loud = (abs(samples) > _QUIET).nonzero()[0]
    begins, ends = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(samples))
    timed = tuple(
        TimedPhoneme(each.phoneme, int(each.num_samples)) for each in chunk.phoneme_alignments or ()
    )
    if sum(each.samples for each in timed) != len(samples):
        timed = ()
    return Utterance(samples.astype("<i2").tobytes(), begins, ends, timed)


@dataclass(frozen=True, slots=True)
class _Meaning:
    error: type[BackendError]
    failure: Failure
    stops_run: bool = False


_UNUSABLE = _Meaning(BackendRefused, Failure.MISCONFIGURED, stops_run=True)
_BAD_TEXT = _Meaning(BackendRefused, Failure.BAD_REQUEST)
_PASSING = _Meaning(BackendUnavailable, Failure.TRANSIENT)
_TOO_MUCH = _Meaning(BackendUnavailable, Failure.OVERLOAD)

# By name, because onnxruntime is imported late.
ONNX_ERRORS: Mapping[str, _Meaning] = MappingProxyType(
    {
        "DeviceReset": _PASSING,
        "EPFail": _PASSING,
        "EngineError": _PASSING,
        "Fail": _PASSING,
        "InvalidArgument": _BAD_TEXT,
        "InvalidGraph": _UNUSABLE,
        "InvalidProtobuf": _UNUSABLE,
        "ModelLoadCanceled": _PASSING,
        "ModelLoaded": _PASSING,
        "ModelRequiresCompilation": _UNUSABLE,
        "NoModel": _UNUSABLE,
        "NoSuchFile": _UNUSABLE,
        "NotFound": _UNUSABLE,
        "NotImplemented": _UNUSABLE,
        # Memory that cannot be had is the usual reason.
        "RuntimeException": _TOO_MUCH,
    }
)
# First match counts. Piper has no errors of its own: it and its front end raise these.
PYTHON_ERRORS: tuple[tuple[type[Exception], _Meaning], ...] = (
    (ImportError, _UNUSABLE),
    (MemoryError, _TOO_MUCH),
    (json.JSONDecodeError, _UNUSABLE),
    (UnicodeError, _BAD_TEXT),
    (ValueError, _BAD_TEXT),
    (LookupError, _UNUSABLE),
    (TypeError, _UNUSABLE),
    (OSError, _UNUSABLE),
    (RuntimeError, _UNUSABLE),
)


@cache
def _exceptions() -> dict[str, type[Exception]]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return {name: kind for name in ONNX_ERRORS if (kind := getattr(state, name, None))}


def _foreign() -> dict[type[Exception], _Meaning]:
    kinds: Callable[[], dict[str, type[Exception]]] = _exceptions
    try:
        own = {kind: ONNX_ERRORS[name] for name, kind in kinds().items()}
    except ImportError:
        own = {}
    return own | dict(PYTHON_ERRORS)


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Errors of Piper, its front end and onnxruntime come out as ours, with `what` before."""
    foreign = _foreign()
    try:
        yield
    except BackendError:
        raise
    except tuple(foreign) as error:
        meaning = next(value for kind, value in foreign.items() if isinstance(error, kind))
        raise meaning.error(
            _line(what, error), meaning.failure, stops_run=meaning.stops_run
        ) from error


def _line(what: str, error: Exception) -> str:
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    if isinstance(error, ImportError):
        return f"{what}: {first}. Fix: {INSTALL}"
    return f"{what}: {first}"
