import json
from pathlib import Path

import apache_beam as beam
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from transforms.drop_audited import DropAuditedDoFn
from transforms.manifest_layout import inspect_manifests
from transforms.read_manifest import ReadManifest
from transforms.records import EmbeddedAudio, ManifestRow
from transforms.spread_rows import SpreadRows, locality_key

LINES = [
    '{"track_id": "a", "uri": "a.wav", "isrc": "X"}',
    "{broken",
    '{"track_id": "b"}',
    '{"track_id": "a", "uri": "again.wav"}',
    '{"uri": "c.wav", "label": 3.5}',
    '{"uri": "d.wav"}',
]


def test_every_line_leaves_once(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(LINES) + "\n")
    layout = inspect_manifests([str(path)]).layout
    with TestPipeline("FnApiRunner") as pipeline:
        read = pipeline | ReadManifest([str(path)], layout)
        rows = read.rows | beam.Map(lambda row: (row.track_id, row.line, row.carried))
        assert_that(
            rows,
            equal_to([("a", 1, (("isrc", "X"),)), (f"{tmp_path}/d.wav", 6, (("isrc", None),))]),
        )
        errors = read.errors | beam.Map(lambda e: (e.track_id, e.error_class, "line" in e.message))
        expected = [
            (None, "ManifestRowError", True),
            ("b", "ManifestRowError", True),
            ("a", "DuplicateTrackError", True),
            (None, "ManifestRowError", True),
        ]
        assert_that(errors, equal_to(expected), label="errors")


def test_duplicates_across_manifests_name_both_lines(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("1.jsonl", "2.jsonl")]
    for path in paths:
        Path(path).write_text(json.dumps({"track_id": "a", "uri": "a.wav"}) + "\n")
    with TestPipeline("FnApiRunner") as pipeline:
        read = pipeline | ReadManifest(paths, inspect_manifests(paths).layout)
        message = f"{paths[1]} line 1: track_id 'a' is taken by {paths[0]} line 1"
        assert_that(read.errors | beam.Map(lambda e: e.message), equal_to([message]))


def some_rows() -> list[ManifestRow]:
    rows = [ManifestRow(f"t{n}", f"/{n}.wav", "m", n) for n in range(20)]
    for n in range(200):
        place = EmbeddedAudio("m.parquet", "audio", n // 100, n % 100)
        rows.append(ManifestRow(f"e{n}", f"m.parquet#{n}", "m.parquet", n, place))
    return rows


def test_spreading_keeps_every_row_once() -> None:
    with TestPipeline("FnApiRunner") as pipeline:
        spread = pipeline | beam.Create(some_rows()) | SpreadRows()
        ids = spread | beam.Map(lambda row: row.track_id)
        assert_that(ids, equal_to([row.track_id for row in some_rows()]))


def test_neighbours_in_a_row_group_stay_together() -> None:
    keys = [locality_key(row) for row in some_rows()]
    assert len(set(keys[:20])) == 20
    assert len(set(keys[20:])) == 4


def test_audited_rows_are_dropped_and_counted() -> None:
    pipeline = TestPipeline("FnApiRunner")
    rows = pipeline | beam.Create(some_rows()[:5])
    left = rows | beam.ParDo(DropAuditedDoFn(lambda row: row.line < 2))
    assert_that(left | beam.Map(lambda row: row.line), equal_to([2, 3, 4]))
    result = pipeline.run()
    (skipped,) = [c for c in result.metrics().query()["counters"] if c.key.metric.name == "skipped"]
    assert skipped.committed == 2


def test_a_first_audit_drops_nothing() -> None:
    rows = some_rows()[:3]
    assert [row for one in rows for row in DropAuditedDoFn().process(one)] == rows
