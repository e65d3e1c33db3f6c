"""A recorded run of mutated files through the decode stage; it goes on where it stopped.

Findings are kept beside OUT, in ``OUT.cases/``.

Run as ``python -m tests.fuzz.run OUT.jsonl --cases 20000``.
"""

import json
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from artifactnet.models.config import ArtifactNetConfig
from artifactnet.transforms.audio.decoder.pool import decoder_pool
from artifactnet.transforms.audio.windows import DecodedAudio
from artifactnet.transforms.decode import DecodeOptions, decode_row
from artifactnet.transforms.elements import errors
from artifactnet.transforms.elements.records import ManifestRow
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader
from tests.fuzz.mutations import mutated

SLOW_SECONDS = 5.0
BY_HEADER = re.compile("channels;|Hz;|hours;|bytes;")
"""Limits that a header tells at once."""


def outcome(number: int, folder: Path) -> dict[str, object]:
    """Decode case ``number``: what was done, what came of it, and how long it took."""
    what, content = mutated(number)
    path = folder / "case.bin"
    path.write_bytes(content)
    row = ManifestRow(f"case-{number}", str(path), "cases", number)
    began = time.monotonic()
    audio = decode_row(row, ArtifactNetConfig(), DecodeOptions(), EmbeddedAudioReader()).audio
    seconds = time.monotonic() - began
    found = {"case": number, "what": what, "seconds": round(seconds, 3)}
    if isinstance(audio, DecodedAudio):
        return found | {"result": "decoded", "windows": len(audio.starts)}
    return found | {"result": audio.error_class, "message": audio.message}


def is_finding(found: dict[str, object]) -> bool:
    """Whether somebody should look: a crash, an error that nobody foresaw, a slow file."""
    result = str(found["result"])
    foreseen = result == "decoded" or hasattr(errors, result)
    slow = float(str(found["seconds"])) > SLOW_SECONDS
    costly = result == "DecodeLimitError" and not BY_HEADER.search(str(found["message"]))
    return not foreseen or result == "DecoderCrashError" or costly or slow


def main(
    out: Path, cases: int = 20_000, first: Annotated[int, typer.Option(help="Case.")] = 0
) -> None:
    """Decode CASES mutated files, a line of OUT each, and print what came of them."""
    done = len(out.read_text().splitlines()) if out.exists() else 0
    with tempfile.TemporaryDirectory() as folder, out.open("a") as file:
        for number in range(first + done, first + cases):
            found = outcome(number, Path(folder))
            file.write(json.dumps(found) + "\n")
            if is_finding(found):
                kept = out.with_suffix(".cases")
                kept.mkdir(exist_ok=True)
                shutil.copy(Path(folder) / "case.bin", kept / f"{number}.bin")
            if number % 100 == 0:
                file.flush()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    for result, count in Counter(row["result"] for row in rows).most_common():
        print(f"{count:7d} {result}")
    print(f"{len(rows)} cases, the slowest {max(row['seconds'] for row in rows):.1f} s")
    for row in filter(is_finding, rows):
        print(json.dumps(row))
    memory = max(_peak_kib(one._process.pid) for one in decoder_pool()._all)
    print(f"largest decoder process now: {memory >> 10} MiB")


def _peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text() if os.path.isdir("/proc") else ""
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM"))
    return next((int(words[1]) for words in lines), 0)


if __name__ == "__main__":
    typer.run(main)
