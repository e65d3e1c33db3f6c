import numpy as np
import pyarrow as pa

from artifactnet.pipeline.evidence.catalogue import broken_down, confounds


def test_a_verdict_that_follows_the_bandwidth_is_pointed_out() -> None:
    rng = np.random.default_rng(0)
    flagged = np.arange(100) < 50
    tracks = pa.table(
        {
            "verdict": np.where(flagged, "ai", "real"),
            "bandwidth_hz": np.where(flagged, 16_000.0, 20_000.0) + rng.normal(0, 500, 100),
            "level_db": rng.normal(-20, 3, 100),
            "file_bytes": [1_000_000] * 100,
            "duration": [60.0] * 100,
        }
    )
    found = {one.name: one for one in confounds(tracks)}
    assert found["bandwidth_hz"].suspect
    assert not found["level_db"].suspect
    assert found["bit_rate"].auc == 0.5
    assert found["crest_db"].auc is None  # an older audit has no such column


def test_a_catalogue_is_broken_down_by_what_groups_it() -> None:
    def tracks(rows: int) -> pa.Table:
        same = {name: [None] * rows for name in ("label", "generator", "container", "codec")}
        return pa.table(
            {name: pa.array(values, pa.string()) for name, values in same.items()}
            | {
                "verdict": ["ai", "real"] * (rows // 2),
                "source": ["a", "b"] * (rows // 2),
                "sample_rate": [44_100] * rows,
                "title": [f"song {row // 2}" for row in range(rows)],
                "album": [f"album {row // 8}" for row in range(rows)],
                "sha": [f"{row:x}" for row in range(rows)],
            }
        )

    assert [name for name, _ in broken_down(tracks(400))] == ["source", "title", "album"]
    assert [name for name, _ in broken_down(tracks(4_000))] == ["source"]
    assert [name for name, _ in broken_down(tracks(8))] == ["source", "title"]
    assert [name for name, _ in broken_down(tracks(2))] == ["source"]
    (_, (first, second)), *_ = broken_down(tracks(400))
    assert (first.value, first.tracks, first.ai.seen) == ("a", 200, 200)
    assert (second.value, second.ai.seen) == ("b", 0)
