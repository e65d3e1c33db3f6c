import numpy as np
import pyarrow as pa

from artifactnet.pipeline.evidence.catalogue import confounds


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
