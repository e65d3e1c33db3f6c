from collections import Counter

import apache_beam as beam
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from artifactnet.transforms.assign_shards import AssignShards, bucket_count, shard_key
from artifactnet.transforms.elements.packs import packed
from artifactnet.transforms.elements.records import EmbeddedAudio, ManifestRow


def some_rows() -> list[ManifestRow]:
    rows = [ManifestRow(f"t{n}", f"/{n}.wav", "m", n) for n in range(20)]
    for n in range(200):
        place = EmbeddedAudio("m.parquet", "audio", n // 100, n % 100)
        rows.append(ManifestRow(f"e{n}", f"m.parquet#{n}", "m.parquet", n, place))
    return rows


def keys(shards: int) -> list[str]:
    return [shard_key(row, 0, turn, shards) for turn, row in enumerate(some_rows())]


def test_sharding_keeps_every_row_once_and_knows_the_size() -> None:
    pairs = list(zip(keys(3), some_rows(), strict=True))
    packs = [*packed(pairs[:70]), *packed(pairs[70:])]
    with TestPipeline("FnApiRunner") as pipeline:
        sharded = pipeline | beam.Create(packs) | AssignShards()
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
    found = keys(5)
    assert len(set(found[:20])) == 5
    assert len(set(found[20:])) == 4


def test_rows_are_dealt_out_evenly_and_buckets_keep_apart() -> None:
    assert sorted(Counter(keys(5)[:20]).values()) == [4] * 5
    row = ManifestRow("track", "/a", "m", 1)
    assert shard_key(row, 7, 13, 5) == "dealt 7 3"


def test_few_shards_are_one_bucket_and_none_is_left_out() -> None:
    assert [bucket_count(shards) for shards in (1, 8, 9, 65_536)] == [1, 1, 2, 1024]
