import json
from pathlib import Path

import apache_beam as beam
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from artifactnet.transforms.elements.packs import unpacked
from artifactnet.transforms.elements.records import ManifestRow
from artifactnet.transforms.elements.row_key import bucket_of
from artifactnet.transforms.manifests.columns import inspect_manifests
from artifactnet.transforms.read_manifest import ReadManifest, line_key

LINES = [
    '{"track_id": "a", "uri": "a.wav", "isrc": "X"}',
    "{broken",
    '{"track_id": "b"}',
    '{"track_id": "a", "uri": "again.wav"}',
    '{"uri": "c.wav", "label": 3.5}',
    '{"uri": "d.wav"}',
]


UNPACKED = beam.FlatMap(lambda pair: unpacked([pair[1]]))


def seen(row: ManifestRow) -> tuple:
    return row.track_id, row.line, bool(row.failure), row.carried


def test_every_line_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(LINES) + "\n")
    layout = inspect_manifests([str(path)]).layout
    with TestPipeline("FnApiRunner") as pipeline:
        packs = pipeline | ReadManifest([str(path)], layout, buckets=3)
        rows = packs | UNPACKED
        buckets = packs | "Buckets" >> beam.FlatMap(
            lambda pair: [pair[0] == bucket_of(line_key(row), 3) for row in unpacked([pair[1]])]
        )
        assert_that(buckets, equal_to([True] * 6), label="buckets")
        expected = [
            ("a", 1, False, (("isrc", "X"),)),
            ("", 2, True, ()),
            ("b", 3, True, ()),
            ("a", 4, False, (("isrc", None),)),
            ("", 5, True, ()),
            (f"{tmp_path}/d.wav", 6, False, (("isrc", None),)),
        ]
        assert_that(rows | beam.Map(seen), equal_to(expected))
        messages = rows | beam.Filter(lambda r: r.failure) | beam.Map(lambda r: r.failure.message)
        assert_that(
            messages | beam.Map(lambda m: str(path) in m and "line" in m),
            equal_to([True, True, True]),
            label="messages",
        )
        keys = rows | "Keys" >> beam.Map(line_key) | beam.combiners.Count.PerElement()
        expected_keys = [("a", 2), (f"{tmp_path}/d.wav", 1)] + [
            (f"{path}\n{n}", 1) for n in (2, 3, 5)
        ]
        assert_that(keys, equal_to(expected_keys), label="keys")


def test_empty_parts_add_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(LINES) + "\n")
    layout = inspect_manifests([str(path)]).layout
    with TestPipeline("FnApiRunner") as pipeline:
        rows = pipeline | ReadManifest([str(path)], layout, parts=5) | UNPACKED
        assert_that(rows | beam.Map(lambda row: row.line), equal_to([1, 2, 3, 4, 5, 6]))


def test_identity_of_a_bad_line_is_its_message(tmp_path: Path) -> None:
    def identities(text: str) -> list[str]:
        from artifactnet.transforms.manifests.columns import ManifestLayout
        from artifactnet.transforms.read_manifest import ParseManifestDoFn

        path = tmp_path / "m.jsonl"
        path.write_text(text)
        return [row.content_id for row in ParseManifestDoFn(ManifestLayout()).rows(str(path))]

    bad = json.dumps({"track_id": "b"})
    assert identities(bad) == identities(bad)
    assert identities(bad) != identities(json.dumps({"track_id": "b", "uri": "a", "label": 3.5}))
