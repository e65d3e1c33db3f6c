from collections import Counter

import apache_beam as beam
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from artifactnet.transforms.assign_shards import AssignShards, shard_key
from artifactnet.transforms.elements.records import EmbeddedAudio, ManifestRow


def some_rows() -> list[ManifestRow]:
    rows = [ManifestRow(f"t{n}", f"/{n}.wav", "m", n) for n in range(20)]
    for n in range(200):
        place = EmbeddedAudio("m.parquet", "audio", n // 100, n % 100)
        rows.append(ManifestRow(f"e{n}", f"m.parquet#{n}", "m.parquet", n, place))
    return rows


def test_sharding_keeps_every_row_once_and_knows_the_size() -> None:
    with TestPipeline("FnApiRunner") as pipeline:
        sharded = pipeline | beam.Create(some_rows()) | AssignShards(3)
        ids = sharded | beam.Map(lambda row: row.track_id)
        assert_that(ids, equal_to([row.track_id for row in some_rows()]))
        sizes = (
            sharded
            | "Shard" >> beam.Map(lambda row: row.shard)
            | beam.combiners.Count.PerElement()
            | beam.Map(lambda found: found[0].rows == found[1])
        )
        assert_that(sizes | beam.Distinct(), equal_to([True]), label="sizes")


def test_neighbours_in_a_row_group_are_one_shard() -> None:
    keys = [shard_key(row, 5) for row in some_rows()]
    assert 1 < len(set(keys[:20])) <= 5
    assert len(set(keys[20:])) == 4


def test_lines_are_dealt_out_evenly_and_alike_in_every_process() -> None:
    keys = [shard_key(row, 5) for row in some_rows()[:20]]
    assert sorted(Counter(keys).values()) == [4] * 5
    assert shard_key(ManifestRow("track", "/a", "m", 1), 1000) == "dealt 434"
