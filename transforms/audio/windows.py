"""Decode the few windows of a track that the detector looks at.

Enters: a seekable binary file of untrusted bytes. Leaves: ``DecodedAudio``, mono
float32 windows ``[segments, window_samples]`` at the model's sample rate, with what the
container says about itself. libsndfile reads first, since it seeks exactly; FFmpeg's
libraries read whatever it refuses. Only the windows are decoded, so a ten-hour file costs
what a song costs, and every step is bounded in time, memory and length.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from artifactnet.transforms.audio.container_repair import repaired
from artifactnet.transforms.audio.sound_facts import SoundFacts, median_facts, sound_facts
from artifactnet.transforms.elements.errors import (
    AuditError,
    DamagedAudioError,
    DecodeLimitError,
    EmptyAudioError,
    NonFiniteAudioError,
    NotAudioError,
    SilentAudioError,
    TooShortError,
)

SILENCE_PEAK = 1e-4
"""Peak amplitude (full scale is 1) under which a window counts as silence: -80 dBFS."""

CANCELLED_POWER = 0.04
"""A mix with less of its loudest channel's power (a sum 14 dB below it) is what channels in
antiphase leave of each other: of lossy files the codec's residue, which is not the music."""

COMPLETE_FRACTION = 0.9
"""A window needs this share of its samples; the rest is padded with zeros."""

INTACT_FRACTION = 0.85
"""Of what lies before a window's end so much must decode; holes stay silent."""

HALF_STEP = 0.5
"""Of a window: least distance of two in a short track."""
TOUCHING_SECONDS = 1e-3
SPARE_FRACTION = 0.1
"""Share of a window that may stay uncovered."""


@dataclass(frozen=True)
class DecodeLimits:
    """Bounds on what one track may cost.

    Attributes:
      max_bytes: largest file that is opened.
      max_hours: longest duration that is believed.
      max_channels: most channels; bounds the memory of one window.
      min_sample_rate: lowest sample rate in Hz; below, there is nothing to score.
      max_sample_rate: highest sample rate in Hz; bounds the memory of one window.
      max_seconds: wall-clock seconds a track may spend in decoding, whatever its size.
      base_seconds: what a local file may spend, however small,
      mib_seconds: and for each MiB of it on top.
      max_segments: most windows of one track, whatever ``segments`` asks for.
    """

    max_bytes: int = 4 << 30
    max_hours: float = 24.0
    max_channels: int = 32
    min_sample_rate: int = 4_000
    max_sample_rate: int = 384_000
    max_seconds: float = 120.0
    base_seconds: float = 20.0
    mib_seconds: float = 0.25
    max_segments: int = 900

    def after(self, seconds: float) -> "DecodeLimits":
        """What is left after so many seconds were spent on a first part of the track.

        Raises:
          DecodeLimitError: nothing is.
        """
        left = self.max_seconds - seconds
        if left <= 0:
            raise DecodeLimitError(f"decoding took longer than {self.max_seconds:g} s")
        return replace(self, max_seconds=left)

    def seconds_for(self, size: int) -> float:
        """Wall-clock seconds that a local file of ``size`` bytes may spend in decoding."""
        return min(self.max_seconds, self.base_seconds + self.mib_seconds * size / (1 << 20))


class AudioInfo(NamedTuple):
    """What a container says about itself.

    Attributes:
      container: e.g. ``wav``, ``ogg``, ``mp3``, ``mov``.
      codec: e.g. ``pcm_16``, ``vorbis``, ``aac``.
      sample_rate: Hz, before resampling.
      channels: before the downmix.
      duration: seconds.
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    duration: float


class Tally(NamedTuple):
    """What became of the windows of a track, or of a block of them.

    Attributes:
      planned: of the whole track.
      tried: of these, in this block.
      unreadable: could not be read.
      silent: held no sound.
      problem: of the last that could not be read.
    """

    planned: int = 0
    tried: int = 0
    unreadable: int = 0
    silent: int = 0
    problem: str = ""

    def and_then(self, other: "Tally") -> "Tally":
        """Of this block and the next."""
        return Tally(
            other.planned,
            self.tried + other.tried,
            self.unreadable + other.unreadable,
            self.silent + other.silent,
            other.problem or self.problem,
        )

    def notes(self) -> tuple[str, ...]:
        """What a reader of the verdict should know of it."""
        found = []
        if self.unreadable:
            found.append(
                f"{self.unreadable} of {self.planned} windows unreadable (truncated or damaged)"
            )
        if self.silent:
            found.append(f"{self.silent} of {self.planned} windows silent")
        return tuple(found)

    def check(self) -> None:
        """Refuse a track of which no window holds sound.

        Raises:
          SilentAudioError: all that could be read are silent.
          DamagedAudioError: none could be read.
        """
        if self.unreadable + self.silent < self.tried:
            return
        if self.silent:
            raise SilentAudioError(f"all {self.silent} windows that could be read are silent")
        raise DamagedAudioError(
            f"none of {self.planned} windows could be read: {self.problem or NO_SOUND}"
        )


NO_SOUND = "the sound ends before the first window does"


class DecodedAudio(NamedTuple):
    """The windows of one track.

    Attributes:
      info: the container's facts.
      starts: start of each window in seconds, ascending, ``[segments]``.
      windows: mono float32 ``[segments, window_samples]``, peak at most 1.
      notes: what a reader of the verdict should know, e.g. windows that were silent.
      facts: of the sound, the median over the windows.
      each: facts of each window, ``[segments]``.
      tally: what became of the windows that were planned.
      pieces: how many windows came in each piece of a long track; empty: all at once.
    """

    info: AudioInfo
    starts: tuple[float, ...]
    windows: NDArray[np.float32]
    notes: tuple[str, ...]
    facts: SoundFacts = SoundFacts()
    each: tuple[SoundFacts, ...] = ()
    tally: "Tally" = Tally()
    pieces: tuple[int, ...] = ()


class AudioReader(Protocol):
    """Random access to the samples of one open file."""

    info: AudioInfo

    def read(self, start: float, seconds: float) -> NDArray[np.float32]:
        """Samples ``[frames, channels]`` from ``start``; fewer at the end of the sound."""
        ...

    def close(self) -> None:
        """Release the decoder; the file stays open."""
        ...


OpenReader = Callable[[BinaryIO, Callable[[], None]], AudioReader]
"""Opens a reader; the second argument is called now and then and raises past the deadline."""


def plan_windows(
    duration: float, window_seconds: float, segments: int | None, half_steps: bool = False
) -> tuple[float, ...]:
    """Choose where windows start: evenly spaced, the first at 0, the last at the end.

    A track too short for ``segments`` windows side by side gets as many as cover it, but for
    ``SPARE_FRACTION`` of a window: encoders pad, and a few samples need no window. With
    ``half_steps`` it gets more, which overlap by up to a half: two views of a second err less
    than one.

    Args:
      duration: seconds of sound.
      window_seconds: length of a window.
      segments: how many windows; ``None`` for as many as cover the track.
      half_steps: whether the windows of a short track may overlap.

    Returns:
      Starts in seconds, ascending; one start at 0 where the track is no longer than a window.
    """
    covering = max(1, math.ceil(duration / window_seconds - SPARE_FRACTION))
    count = covering if segments is None else min(segments, covering)
    if half_steps and segments is not None:
        steps = max(0.0, duration / window_seconds - 1) / HALF_STEP
        count = min(segments, max(covering, 1 + int(steps + SPARE_FRACTION)))
    last = max(0.0, duration - window_seconds)
    return tuple(float(start) for start in np.linspace(0.0, last, count))


def windows_apart(starts: Sequence[float], window_seconds: float) -> int:
    """How many of the windows that start at ``starts``, ascending, don't overlap each other."""
    count, free = 0, -math.inf
    for start in starts:
        if start >= free - TOUCHING_SECONDS:
            count += 1
            free = start + window_seconds
    return count


def check_limits(info: AudioInfo, limits: DecodeLimits) -> None:
    """Refuse what the header promises beyond the limits.

    Raises:
      DecodeLimitError: naming the limit and the value.
      EmptyAudioError: no samples are promised.
    """
    if info.channels > limits.max_channels:
        raise DecodeLimitError(f"{info.channels} channels; at most {limits.max_channels} are read")
    if 0 < info.sample_rate < limits.min_sample_rate:
        raise DecodeLimitError(
            f"{info.sample_rate} Hz; at least {limits.min_sample_rate} Hz are needed"
        )
    if info.sample_rate > limits.max_sample_rate:
        raise DecodeLimitError(
            f"{info.sample_rate} Hz; at most {limits.max_sample_rate} Hz are read"
        )
    if info.duration > limits.max_hours * 3600:
        raise DecodeLimitError(
            f"{info.duration / 3600:.1f} hours; at most {limits.max_hours:g} are read"
        )
    if info.sample_rate < 1 or info.channels < 1 or info.duration <= 0:
        raise EmptyAudioError("the file holds no samples")


def _downmix(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of ``samples`` ``[frames, channels]``; the loudest channel where they cancel."""
    mono = samples.mean(axis=1, dtype=np.float64)
    channels = samples.shape[1]
    if channels == 1 or not len(samples):
        return mono
    energy = np.square(samples, dtype=np.float64).mean(axis=0)
    # One channel that plays alone is down by their number, which is no cancelling.
    if np.square(mono).mean() * channels**2 < CANCELLED_POWER * energy.max():
        return samples[:, int(energy.argmax())].astype(np.float64)
    return mono


def mono_window(
    samples: NDArray[np.float32], sample_rate: int, target_rate: int, target_samples: int
) -> NDArray[np.float32]:
    """Downmix, resample and pad one window.

    Args:
      samples: float32 ``[frames, channels]`` at ``sample_rate`` Hz.
      sample_rate: of ``samples``.
      target_rate: Hz of the result.
      target_samples: length of the result.

    Returns:
      Mean of the channels (the loudest one where they cancel) as float32
      ``[target_samples]``, scaled down where a float file exceeds full scale.

    Raises:
      NonFiniteAudioError: a sample is NaN or infinite.
    """
    if not np.isfinite(samples).all():
        raise NonFiniteAudioError("the file holds NaN or infinite samples")
    mono = _downmix(samples)
    peak = float(np.abs(mono).max(initial=0.0))
    if peak > 1.0:
        mono /= peak
    mono32 = mono.astype(np.float32)
    if sample_rate != target_rate:
        mono32 = soxr.resample(mono32, sample_rate, target_rate, quality="HQ")
    window = np.zeros(target_samples, np.float32)
    length = min(target_samples, len(mono32))
    window[:length] = mono32[:length]
    return np.clip(window, -1.0, 1.0)


def deadline_check(seconds: float, waited: Callable[[], float] = lambda: 0.0) -> Callable[[], None]:
    """A function that raises DecodeLimitError once ``seconds`` of wall time have passed.

    What ``waited`` says was spent on waiting for storage doesn't count.
    """
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end + waited():
            raise DecodeLimitError(f"decoding took longer than {seconds:g} s")

    return check


def decode_windows(
    file: BinaryIO,
    *,
    sample_rate: int,
    window_samples: int,
    segments: int | None,
    limits: DecodeLimits,
    readers: tuple[OpenReader, ...],
    room: NDArray[np.float32] | None = None,
    waited: Callable[[], float] = lambda: 0.0,
    half_steps: bool = False,
    block: tuple[int, int] | None = None,
) -> DecodedAudio:
    """Decode the windows of one track with the first reader that reads all, else the most.

    Args:
      file: seekable, positioned anywhere.
      sample_rate: Hz of the windows.
      window_samples: samples per window.
      segments: windows per track, ``None`` for all.
      limits: bounds on the cost.
      readers: tried in order.
      room: float32 ``[most windows, window_samples]`` to lay them into; memory of its own if none.
      waited: seconds that were spent on waiting for storage so far.
      half_steps: whether the windows of a short track may overlap, see ``plan_windows``.
      block: first window and how many at most, where the track comes in pieces; then a piece may
        hold no sound at all, and ``notes`` and ``facts`` leave to the ``tally`` what only the
        whole can say.

    Raises:
      AuditError: one of its subclasses, from the last reader tried.
    """
    check_deadline = deadline_check(limits.max_seconds, waited)
    best: DecodedAudio | None = None
    promised = 0.0
    failure: AuditError | None = None
    file = repaired(file)
    for open_reader in readers:
        file.seek(0)
        try:
            with closing(open_reader(file, check_deadline)) as reader:
                check_limits(reader.info, limits)
                promised = promised or reader.info.duration
                read = read_windows(
                    reader,
                    sample_rate,
                    window_samples,
                    segments,
                    limits,
                    check_deadline,
                    room if best is None else None,
                    half_steps,
                    block,
                )
        except (DecodeLimitError, NonFiniteAudioError, SilentAudioError):
            if best is None:
                raise
            break
        except AuditError as error:
            # That a reader isn't made for the file says less than what another one met in it;
            # of readers that all refuse it, the last knows the most formats.
            if isinstance(failure, NotAudioError | None) or not isinstance(error, NotAudioError):
                failure = error
            continue
        except (LookupError, ArithmeticError, TypeError, ValueError, RuntimeError) as error:
            # What a reader of odd bytes did not foresee; the next one may know better.
            failure = failure or DamagedAudioError(f"{type(error).__name__}: {error}")
            continue
        if best is None or len(read.starts) > len(best.starts):
            best = read
        if not read.tally.unreadable:
            break
    if best is None:
        assert failure is not None, "at least one reader is needed"
        raise failure
    if room is not None:
        room[: len(best.starts)] = best.windows
    found = best.info.duration
    if found < COMPLETE_FRACTION * promised:
        note = f"{promised:.1f} s by its header, {found:.1f} s can be read (truncated or damaged)"
        return best._replace(notes=(*best.notes, note))
    return best


def read_windows(
    reader: AudioReader,
    sample_rate: int,
    window_samples: int,
    segments: int | None,
    limits: DecodeLimits,
    check_deadline: Callable[[], None],
    room: NDArray[np.float32] | None = None,
    half_steps: bool = False,
    block: tuple[int, int] | None = None,
) -> DecodedAudio:
    """Windows out of an open reader; see ``decode_windows``.

    Raises:
      AuditError: too short, silent, damaged, or beyond a limit.
    """
    info = reader.info
    seconds = window_samples / sample_rate
    if info.duration < COMPLETE_FRACTION * seconds:
        raise TooShortError(f"{info.duration:.2f} s of sound; a segment needs {seconds:g} s")
    note = getattr(reader, "note", "")
    notes = [note] if note else []
    planned = plan_windows(info.duration, seconds, segments, half_steps)
    holds = len(room) if room is not None else limits.max_segments
    most = min(limits.max_segments, holds if block is None else limits.max_segments)
    if len(planned) > most:
        notes.append(f"{most} windows, not the {len(planned)} that cover the track")
        planned = plan_windows(info.duration, seconds, most)
    whole = len(planned)
    if block is not None:
        first, count = block
        planned = planned[first : first + min(count, holds)]
    needed = COMPLETE_FRACTION * seconds * info.sample_rate
    starts: list[float] = []
    facts: list[SoundFacts] = []
    windows = np.empty((len(planned), window_samples), np.float32) if room is None else room
    unreadable = silent = 0
    problem = ""
    for start in planned:
        check_deadline()
        try:
            samples = reader.read(start, seconds)
        except DamagedAudioError as error:
            problem, unreadable = str(error), unreadable + 1
            continue
        if len(samples) < needed:
            unreadable += 1
            continue
        window = mono_window(samples, info.sample_rate, sample_rate, window_samples)
        if np.abs(window).max() < SILENCE_PEAK:
            silent += 1
            continue
        windows[len(starts)] = window
        starts.append(start)
        facts.append(sound_facts(samples, window, sample_rate))
    kept = windows[: len(starts)]
    tally = Tally(whole, len(planned), unreadable, silent, problem)
    audio = DecodedAudio(
        info, tuple(starts), kept, tuple(notes), median_facts(facts), tuple(facts), tally
    )
    if block is not None:
        return audio
    tally.check()
    return audio._replace(notes=(*audio.notes, *tally.notes()))
