"""Decode stage: a manifest row becomes the few seconds of sound that are needed.

The decoders run in processes of their own (``audio/decoder/``).

Enters: ``ManifestRow`` items. Leaves: ``DecodedTrack`` items, with mono windows or with the reason
why there are none; of a track with many windows several, one after the other.
"""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from artifactnet.transforms.audio.decoder.pool import DecoderStartError, decoder_pool
from artifactnet.transforms.audio.sound_facts import SoundFacts, median_facts
from artifactnet.transforms.audio.source import open_audio
from artifactnet.transforms.audio.windows import DecodeLimits, Tally
from artifactnet.transforms.detector.detector import DetectorOptions, detector_of
from artifactnet.transforms.elements.records import DecodedTrack, ManifestRow, StageFailure
from artifactnet.transforms.elements.stage import NAMESPACE, StageMetrics, failure
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from artifactnet.transforms.storage.object_store import S3Access

STAGE = "decode"
BLOCK = 64
"""Windows of a track that are in memory at once: 45 MB of 4 s."""


@dataclass(frozen=True)
class DecodeOptions:
    """How to decode.

    Attributes:
      segments: windows a track, evenly spaced; ``None`` for all.
      limits: on bytes, time, length.
      access: to S3.
    """

    segments: int | None = 7
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    access: S3Access = field(default_factory=S3Access)


class WindowShape(Protocol):
    """Of what a detector takes; a detector's configuration is one."""

    @property
    def sample_rate(self) -> int:
        """Hz."""
        ...

    @property
    def segment_samples(self) -> int:
        """Of a window."""
        ...

    @property
    def half_steps(self) -> bool:
        """Whether windows of a short track may overlap."""
        ...


def decode_blocks(
    row: ManifestRow, config: WindowShape, options: DecodeOptions, embedded: EmbeddedAudioReader
) -> Iterator[DecodedTrack]:
    """Decode one track, ``BLOCK`` windows at a time, so that memory doesn't grow with its length.

    What goes wrong is in the result, and ends it. The last piece says so, and has the notes and the
    facts of the whole track.
    """
    if row.failure:
        yield DecodedTrack(row, None, row.failure)
        return
    sha256, ranges, size, counted = None, None, 0, 0

    def fetched() -> int:
        """Bytes that came from an object store since this was last asked."""
        nonlocal counted
        before, counted = counted, ranges.fetched if ranges else 0
        return counted - before

    try:
        with open_audio(row, options.limits, embedded, options.access) as opened:
            sha256, ranges = opened.sha256, opened.ranges
            size = opened.file.seek(0, io.SEEK_END)
            tally, facts, notes = Tally(), list[SoundFacts](), dict[str, None]()
            limits, spent = options.limits, 0.0
            while True:
                began = time.monotonic()
                audio = decoder_pool().decode(
                    opened.file,
                    sample_rate=config.sample_rate,
                    window_samples=config.segment_samples,
                    segments=options.segments,
                    limits=limits.after(spent),
                    half_steps=config.half_steps,
                    block=(tally.tried, BLOCK),
                )
                spent += time.monotonic() - began
                tally = tally.and_then(audio.tally)
                facts += audio.each
                notes |= dict.fromkeys(audio.notes)
                if tally.tried >= tally.planned:
                    break
                yield DecodedTrack(row, sha256, audio, fetched(), size, last=False)
            tally.check()
            told = (*notes, *tally.notes())
            audio = audio._replace(notes=told, facts=median_facts(facts))
    except DecoderStartError:
        raise  # every track would fail
    except Exception as error:  # one bad track must not fail the job
        yield DecodedTrack(row, sha256, failure(STAGE, row.track_id, error), fetched())
        return
    yield DecodedTrack(row, sha256, audio, fetched(), size)


def decode_row(
    row: ManifestRow, config: WindowShape, options: DecodeOptions, embedded: EmbeddedAudioReader
) -> DecodedTrack:
    """Decode one track, all of its windows at once; what goes wrong is in the result."""
    blocks = list(decode_blocks(row, config, options, embedded))
    last = blocks[-1]
    if isinstance(last.audio, StageFailure) or len(blocks) == 1:
        return last
    pieces = [one.audio for one in blocks if not isinstance(one.audio, StageFailure)]
    audio = last.audio._replace(
        starts=tuple(start for one in pieces for start in one.starts),
        windows=np.concatenate([one.windows for one in pieces]),
        each=tuple(facts for one in pieces for facts in one.each),
        pieces=tuple(len(one.starts) for one in pieces),
    )
    return replace(last, audio=audio, object_bytes=sum(one.object_bytes for one in blocks))


class DecodeDoFn(beam.DoFn):
    """Decodes rows."""

    def __init__(self, options: DecodeOptions, detector: DetectorOptions) -> None:
        self._options = options
        self._detector = detector
        self._metrics = StageMetrics(STAGE)
        self._object_bytes = Metrics.counter(NAMESPACE, "object_bytes")

    def setup(self) -> None:
        """Make room for the reader of embedded audio, which keeps its place between rows."""
        self._embedded = EmbeddedAudioReader()

    def teardown(self) -> None:
        """Close the manifest that the last rows lay in."""
        self._embedded.close()

    def process(self, row: ManifestRow) -> Iterator[DecodedTrack]:
        """Yield the decoded track, or why it isn't; a long one in pieces."""
        config = detector_of(self._detector).config
        blocks = decode_blocks(row, config, self._options, self._embedded)
        last = False
        while not last:
            with self._metrics.timed():
                track = next(blocks)
            last = track.last
            self._object_bytes.inc(track.object_bytes)
            if isinstance(track.audio, StageFailure):
                self._metrics.failures.inc()
            yield track
