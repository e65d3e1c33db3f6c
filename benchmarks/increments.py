"""What a second audit costs when nothing changed, and when one track in a hundred did.

python benchmarks/increments.py [--tracks 5000]
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from catalogues import audit_command, synthetic

ROOT = Path(__file__).parents[1]


def audit(manifest: Path, output: Path, model: Path) -> tuple[float, dict]:
    command = audit_command(manifest, output)
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--json", "--segments", "1", "--model", str(model)], capture_output=True,
        text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return time.monotonic() - began, json.loads(done.stdout)


def loudness_model(path: Path) -> Path:
    """The cheapest detector of the contract: decoding, not scoring, is what is counted here."""
    import onnx
    from onnx import TensorProto, helper

    shape = ["batch", 176_400]
    nodes = [
        helper.make_node("Mul", ["audio", "audio"], ["square"]),
        helper.make_node("ReduceMean", ["square"], ["probability"], axes=[1], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes, "loudness",
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"])],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = loudness_model(folder / "loudness.onnx")
        manifest = synthetic(folder / "catalogue", options.tracks)
        files = sorted((folder / "catalogue" / "music").iterdir())
        for title in ("first audit", "unchanged", "one in a hundred changed"):
            if title.startswith("one"):
                for path in files[::100]:
                    os.utime(path, ns=(1, 1))
            seconds, record = audit(manifest, folder / "out", model)
            decoded = record["metrics"]["counters"].get("decode_elements", 0)
            counts = record["counts"]
            print(f"{title}: {seconds:.1f} s, {counts['rows_in']} rows, {decoded} decoded, "
                  f"{counts['tracks']} tracks, {counts['skipped']} skipped")  # fmt: skip


if __name__ == "__main__":
    main()
