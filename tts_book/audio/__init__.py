"""Sound: MP3 frames, silence, edges, loudness, encoding, decoding. Alone knows the codecs."""

from tts_book.audio.analysis import analyse
from tts_book.audio.decoder import decode
from tts_book.audio.intake import Intake, encode, take_in, trim_pcm
from tts_book.audio.limiter import amplify_limited, round_off
from tts_book.audio.loudness import PEAK_DBFS, Meter
from tts_book.audio.mp3_frames import (
    DELAY,
    DELAY_MS,
    GAIN_STEP_DB,
    Format,
    amplify,
    carriers,
    format_at,
    frames_of,
    info_frame,
    is_digital_silence,
    is_uniform,
    most_carriers,
    silence,
)
from tts_book.audio.received_sound import (
    ReceivedSound,
    SpeechShape,
    change_volume,
    measure_speech,
    read_sound,
)

__all__ = [
    "DELAY",
    "DELAY_MS",
    "GAIN_STEP_DB",
    "PEAK_DBFS",
    "Format",
    "Intake",
    "Meter",
    "ReceivedSound",
    "SpeechShape",
    "amplify",
    "amplify_limited",
    "analyse",
    "carriers",
    "change_volume",
    "decode",
    "encode",
    "format_at",
    "frames_of",
    "info_frame",
    "is_digital_silence",
    "is_uniform",
    "measure_speech",
    "most_carriers",
    "read_sound",
    "round_off",
    "silence",
    "take_in",
    "trim_pcm",
]
