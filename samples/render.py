"""Make the sample tracks of the README's demo.

Enters: nothing but a soundfont and a neural codec of ours. Leaves: ``samples/``: four short
pieces written here as MIDI and rendered by FluidSynth, three of them once more as our
neural decoder renders them, one broken file, and their manifest. Both classes come in
several containers, so that the container tells nothing.

Run as ``python -m samples.render CODEC.safetensors SOUNDFONT.sf2``; needs
``fluidsynth`` on the PATH.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile
import soxr
import torch
import typer
from numpy.typing import NDArray

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.pipeline.training.decoders.neural_codec import load_neural_codec
from artifactnet.transforms.audio.codec_spec import parse_codec, rate_for
from artifactnet.transforms.audio.lossy_codec import PyAVBackend

SAMPLE_RATE = ArtifactNetConfig().sample_rate
SECONDS = 8.0
TICKS = 480

# Name, General MIDI programs of melody, chords and bass, beats per minute, chords as
# semitones above C, melody as degrees of the chord.
PIECES = {
    "march": (56, 48, 58, 120, ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)), (0, 1, 2, 1)),
    "waltz": (40, 0, 43, 150, ((9, 12, 16), (2, 5, 9), (4, 8, 11), (9, 12, 16)), (2, 1, 0)),
    "nocturne": (73, 46, 42, 72, ((2, 5, 9), (10, 14, 17), (5, 9, 12), (0, 4, 7)), (0, 2, 1, 2)),
    "stomp": (30, 29, 33, 132, ((4, 7, 11), (0, 4, 7), (7, 11, 14), (2, 6, 9)), (0, 0, 2, 1)),
}
REAL = {"march": "mp3:96k", "waltz": "vorbis:96k", "nocturne": "aac:96k", "stomp": "wav"}
GENERATED = {"march": "opus:96k", "waltz": "aac:96k", "nocturne": "mp3:96k"}
SUFFIXES = {"mp3": ".mp3", "vorbis": ".ogg", "aac": ".m4a", "opus": ".opus", "wav": ".wav"}


def score_piece(name: str) -> mido.MidiFile:
    """Write a piece: a bar of melody, chord and bass per chord, drums below."""
    lead, comp, bass, tempo, chords, melody = PIECES[name]
    file = mido.MidiFile(ticks_per_beat=TICKS)
    rng = np.random.default_rng(sum(name.encode()))
    for channel, program in enumerate((lead, comp, bass)):
        track = mido.MidiTrack()
        file.tracks.append(track)
        track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo)))
        track.append(mido.Message("program_change", channel=channel, program=program))
        for bar in range(8):
            chord = chords[bar % len(chords)]
            for beat, degree in enumerate(melody):
                notes = {
                    0: [72 + chord[degree]],
                    1: [60 + note for note in chord] if beat % 2 == 0 else [],
                    2: [36 + chord[0]] if beat == 0 else [],
                }[channel]
                loudness = int(rng.integers(70, 110))
                for note in notes:
                    track.append(
                        mido.Message("note_on", channel=channel, note=note, velocity=loudness)
                    )
                late = int(rng.integers(0, 24))
                track.append(mido.Message("note_on", channel=9, note=42, velocity=45, time=late))
                rest = TICKS - late
                for note in notes:
                    track.append(mido.Message("note_off", channel=channel, note=note, time=rest))
                    rest = 0
                track.append(mido.Message("note_off", channel=9, note=42, time=rest))
    return file


def render(name: str, soundfont: Path) -> NDArray[np.float32]:
    """Mono float32 audio of a piece, ``SECONDS`` long, peak 0.8."""
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
        score_piece(name).save(midi)
        subprocess.run(  # noqa: S603
            ["fluidsynth", "-ni", "-r", str(SAMPLE_RATE), "-F", wav, soundfont, midi],  # noqa: S607
            check=True,
            capture_output=True,
        )
        audio, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    mono = audio.mean(axis=1)[: int(SECONDS * SAMPLE_RATE)]
    return (0.8 * mono / np.abs(mono).max()).astype(np.float32)


def write_audio(audio: NDArray[np.float32], codec: str, path: Path) -> None:
    """Encode with the codec; WAV is cut to one segment to stay small."""
    spec = parse_codec(codec)
    if spec.name == "wav":
        soundfile.write(path, audio[: 4 * SAMPLE_RATE], SAMPLE_RATE, subtype="PCM_16")
        return
    rate = rate_for(spec, SAMPLE_RATE)
    path.write_bytes(PyAVBackend().encode(soxr.resample(audio, SAMPLE_RATE, rate), rate, spec))


def main(codec: Path, soundfont: Path, out: Path = Path("samples")) -> None:
    """Render all sample tracks to OUT."""
    decoder = load_neural_codec(codec)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for label, formats in (("real", REAL), ("ai", GENERATED)):
        for name, spec in formats.items():
            audio = render(name, soundfont)
            if label == "ai":
                with torch.inference_mode():
                    audio = decoder(torch.from_numpy(audio)[None])[0].numpy()
            path = out / f"{name}-{label}{SUFFIXES[parse_codec(spec).name]}"
            write_audio(np.clip(audio, -1, 1), spec, path)
            generator = {"generator": "artifactnet-neural-codec"} if label == "ai" else {}
            source = "FluidSynth, FluidR3 GM"
            rows.append({"track_id": path.stem, "uri": path.name, "label": label, **generator})
            rows[-1] |= {"source": source, "bench_origin": "sample", "title": name.title()}
    (out / "broken.mp3").write_bytes(b"ID3\x04\0\0\0\0\0\0" + bytes(range(256)) * 4)
    rows.append({"track_id": "broken", "uri": "broken.mp3", "title": "Half an upload"})
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (out / "manifest.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    typer.run(main)
