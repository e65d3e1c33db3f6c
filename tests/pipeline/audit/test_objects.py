"""The audit from and to both object stores while requests fail: nothing lost, nothing twice."""

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from artifactnet.models.weights.weights_file import WeightsError, model_id
from artifactnet.pipeline.audit.request import AuditRequest
from artifactnet.pipeline.audit.run import run_audit
from artifactnet.pipeline.output.compact import compact
from artifactnet.pipeline.output.diff import compare
from artifactnet.pipeline.output.layout import output_files
from artifactnet.transforms.storage import object_store
from artifactnet.transforms.storage.files import read_table
from tests.conftest import music
from tests.emulators import STORES, Faults, put


def column(output: str, table: str, name: str) -> list:
    return [
        value
        for path in output_files(output).tables[table]
        for value in read_table(path)[name].to_pylist()
    ]


@pytest.mark.engine(90)
@pytest.mark.parametrize("scheme", sorted(STORES))
def test_audit_from_and_to_a_store_that_fails_now_and_then(
    scheme: str, free_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "LONGEST_PAUSE", 0.5)
    faults = Faults(seed=3)
    with STORES[scheme](faults) as bucket:
        object_store._open.cache_clear()
        rng = np.random.default_rng(0)
        rows = []
        for number in range(24):
            buffer = io.BytesIO()
            audio = music(4)[:, 0] * rng.uniform(0.2, 0.9)
            soundfile.write(buffer, audio, 44_100, format=("WAV", "FLAC")[number % 2])
            put(f"{bucket}/music/{number}", buffer.getvalue())
            rows.append({"track_id": f"t{number}", "uri": f"music/{number}"})
        rows.append({"track_id": "gone", "uri": "music/gone"})
        put(f"{bucket}/m.jsonl", "\n".join(map(json.dumps, rows)).encode())
        put(f"{bucket}/models/free.onnx", free_weights.read_bytes())
        asked = AuditRequest(
            f"{bucket}/m.jsonl", f"{bucket}/out", workers=1, quiet=True,
            weights=f"{bucket}/models/free.onnx",
        )  # fmt: skip
        faults.rate = 0.05
        first = run_audit(asked)
        assert first.model_id == model_id(free_weights)
        assert faults.counts["unavailable"] + faults.counts["reset"] > 0
        assert (first.counts.tracks, first.counts.errors) == (24, 1)
        assert Counter(column(asked.output, "tracks", "track_id")) == {
            f"t{n}": 1 for n in range(24)
        }
        assert column(asked.output, "errors", "error_class") == ["AudioNotFoundError"]
        put(f"{bucket}/music/3", buffer.getvalue())
        second = run_audit(asked)
        assert (second.counts.skipped, second.counts.tracks) == (24, 1)
        faults.rate = 0.0
        with pytest.raises(WeightsError, match="no such object"):
            run_audit(replace(asked, weights=f"{bucket}/models/none.onnx"))
        assert compare(f"{asked.output}/runs/{first.run_id}.json", asked.output).tracks == 25
        assert compact(asked.output).dropped == 1
        assert len(column(asked.output, "tracks", "track_id")) == 24
        object_store._open.cache_clear()
