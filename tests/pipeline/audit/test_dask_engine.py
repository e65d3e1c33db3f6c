import copy
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from artifactnet.pipeline.audit.audit_options import AuditOptions
from artifactnet.pipeline.audit.dask_engine import (
    DASK_RUNNER,
    LEAST_PARTITIONS,
    SETTINGS,
    on_dask,
    set_partitions,
    set_up_dask,
)
from artifactnet.pipeline.audit.graph import build_audit
from artifactnet.transforms.detector.detector import DetectorOptions
from artifactnet.transforms.elements.output_schema import RunFacts
from artifactnet.transforms.manifests.columns import ManifestLayout
from artifactnet.transforms.write_shards import OutputOptions

TRIM = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"


@pytest.fixture
def dask_config() -> Iterator:
    """Dask's configuration, which is put back afterwards."""
    config = pytest.importorskip("dask.config")
    pytest.importorskip("distributed")
    before, defaults = copy.deepcopy(config.config), list(config.defaults)
    yield config
    config.config.clear()
    config.config.update(before)
    config.defaults[:] = defaults


@pytest.fixture
def runner():
    return pytest.importorskip("apache_beam.runners.dask.dask_runner")


def options(*flags: str) -> PipelineOptions:
    return PipelineOptions(["--runner", DASK_RUNNER, *flags])


def test_only_dask_is_dask() -> None:
    assert on_dask(options())
    assert not on_dask(PipelineOptions(["--runner", "PrismRunner"]))


def test_there_are_partitions_for_all_workers(runner) -> None:
    asked = options()
    assert set_partitions(asked) >= LEAST_PARTITIONS
    assert asked.view_as(runner.DaskOptions).npartitions >= LEAST_PARTITIONS
    assert set_partitions(options("--dask_npartitions", "40")) == 40


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--dask_npartitions", "-1"), "at least 1"),
        (("--dask_partition_size", "4"), "use --dask_npartitions"),
    ],
)
def test_flags_that_would_leave_workers_idle_are_refused(runner, flags, said) -> None:
    with pytest.raises(ValueError, match=said):
        set_partitions(options(*flags))


@pytest.mark.parametrize(("manifests", "earlier"), [(1, 0), (60, 0), (1, 375), (300, 3000)])
def test_partitions_do_not_grow_with_manifests_or_tables(
    runner, tmp_path: Path, tiny_weights: Path, manifests: int, earlier: int
) -> None:
    asked = options()
    partitions = set_partitions(asked)
    audit = AuditOptions(
        tuple(f"{number}.jsonl" for number in range(manifests)),
        OutputOptions(str(tmp_path), ManifestLayout(), RunFacts("run", "id", "c", 0.5)),
        f"{tmp_path}/counts.json",
        f"{tmp_path}/sums",
        earlier=tuple(f"{tmp_path}/tracks/{number}.parquet" for number in range(earlier)),
        detector=DetectorOptions(tiny_weights),
        fused=True,
        partitions=partitions,
    )
    pipeline = beam.Pipeline(options=asked)
    build_audit(pipeline, audit, print)
    pipeline.replace_all(runner.dask_overrides())
    visitor = runner.DaskRunner.to_dask_bag_visitor({"npartitions": partitions})
    pipeline.visit(visitor)
    (bag,) = (
        bag for node, bag in visitor.bags.items() if node.full_label.endswith("DecodeToWrite")
    )
    assert partitions <= bag.npartitions <= 3 * partitions


def test_settings_replace_defaults_of_dask(dask_config) -> None:
    set_up_dask()
    ours = SETTINGS["distributed"]["nanny"]["pre-spawn-environ"]["MALLOC_TRIM_THRESHOLD_"]
    assert dask_config.get(TRIM) == ours
    assert dask_config.get("distributed.worker.profile.enabled") is False
    assert dask_config.get("distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS") == 1


def test_settings_of_the_user_stay(dask_config) -> None:
    dask_config.set({TRIM: 5})
    set_up_dask()
    assert dask_config.get(TRIM) == 5
