"""The scores of known music that ship beside a head, so that a page can say what a score means.

Enters: out-of-fold scores of tracks (``evaluate``, then ``calibrate --scores``), the lists of their
files, and the weights whose head they stand for. Leaves: ``WEIGHTS.reference.parquet``: of each
track its class, source, score and the facts of its sound; the id of the model is in its metadata.

Run as ``python -m artifactnet.pipeline.training.statistics.reference SCORES WEIGHTS``.
"""

from pathlib import Path
from typing import Annotated

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from artifactnet.models.artifactnet import load_detector
from artifactnet.models.weights.weights_file import SHIPPED_WEIGHTS, model_id
from artifactnet.models.whole_file import whole_file
from artifactnet.pipeline.evidence.reference import COLUMNS, MODEL_ID, reference_path
from artifactnet.pipeline.training.statistics.tracks import all_items
from artifactnet.transforms.audio.sound_facts import SoundFacts
from artifactnet.transforms.decode import DecodeOptions, decode_row
from artifactnet.transforms.elements.records import ManifestRow, StageFailure
from artifactnet.transforms.manifests.parquet import EmbeddedAudioReader

FACTS = ("track_id", "bit_rate", "codec", *SoundFacts._fields)


def sounds(scores: pd.DataFrame, paths: dict[str, str], weights: Path) -> pd.DataFrame:
    """Facts of the sound of every track in ``scores`` whose file is in ``paths``."""
    config = load_detector(weights).network.config
    embedded = EmbeddedAudioReader()
    rows = []
    for track_id in scores.track_id[scores.track_id.isin(list(paths))]:
        row = ManifestRow(track_id, paths[track_id], "reference", 1)
        decoded = decode_row(row, config, DecodeOptions(), embedded)
        if isinstance(decoded.audio, StageFailure):
            print(f"{track_id}: {decoded.audio.message}", flush=True)
            continue
        info = decoded.audio.info
        rate = 8 * decoded.file_bytes / info.duration / 1000
        facts = decoded.audio.facts._asdict()
        rows.append({"track_id": track_id, "bit_rate": rate, "codec": info.codec, **facts})
    return pd.DataFrame(rows, columns=list(FACTS))


def main(
    scores: Annotated[Path, typer.Argument(help="Parquet of out-of-fold scores.")],
    weights: Annotated[Path, typer.Argument(help="Detector that they stand for.")] = (
        SHIPPED_WEIGHTS
    ),
    manifest: Annotated[Path | None, typer.Option(help="The corpus.")] = None,
    full: Annotated[Path | None, typer.Option(help="List of tracks at full length.")] = None,
    music: Annotated[Path | None, typer.Option(help="Human music, a folder a source.")] = None,
    keep: Annotated[
        bool, typer.Option(help="Take facts from the reference that is there.")
    ] = False,
) -> None:
    """Write the reference of WEIGHTS from SCORES."""
    table = pd.read_parquet(scores)
    table = table[table.p_ai.notna()].assign(segments=lambda rows: rows.segments.astype(int))
    target = reference_path(weights)
    if keep:
        facts = pd.read_parquet(target, columns=list(FACTS))
    elif manifest and full and music:
        paths = {item.track_id: item.path for item in all_items(manifest, full, music)}
        facts = sounds(table, paths, weights)
    else:
        raise typer.BadParameter("give --manifest, --full and --music, or --keep")
    table = table.merge(facts, on="track_id", how="inner")[list(COLUMNS)]
    known = pa.Table.from_pandas(table, preserve_index=False)
    known = known.replace_schema_metadata({MODEL_ID: model_id(weights)})
    with whole_file(target) as partial:
        pq.write_table(known, partial, compression="zstd")
    print(f"{target}: {len(table)} tracks for model {model_id(weights)}")


if __name__ == "__main__":
    typer.run(main)
