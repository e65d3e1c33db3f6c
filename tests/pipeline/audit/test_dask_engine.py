import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from artifactnet.pipeline.audit.dask_engine import (
    DASK_RUNNER,
    PARTITIONS,
    SETTINGS,
    dask_partitions,
    set_up_dask,
)

dask = pytest.importorskip("dask")
runner = pytest.importorskip("apache_beam.runners.dask.dask_runner")


def options(*flags: str) -> PipelineOptions:
    return PipelineOptions(["--runner", DASK_RUNNER, *flags])


def test_other_engines_have_no_partitions() -> None:
    assert dask_partitions(PipelineOptions(["--runner", "PrismRunner"])) == 0


def test_a_manifest_alone_is_spread_over_partitions() -> None:
    asked = options()
    assert dask_partitions(asked) == PARTITIONS
    assert asked.view_as(runner.DaskOptions).partition_size == 1


def test_what_the_user_asks_for_stays() -> None:
    asked = options("--dask_npartitions", "40")
    assert dask_partitions(asked) == 40
    assert asked.view_as(runner.DaskOptions).partition_size is None


def test_settings_replace_defaults_of_dask_but_none_of_the_user() -> None:
    pytest.importorskip("distributed")
    trim = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"
    ours = SETTINGS["distributed"]["nanny"]["pre-spawn-environ"]["MALLOC_TRIM_THRESHOLD_"]
    with dask.config.set({}):
        set_up_dask()
        assert dask.config.get(trim) == ours
        assert dask.config.get("distributed.worker.profile.enabled") is False
        assert dask.config.get("distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS") == 1
    with dask.config.set({trim: 5}):
        set_up_dask()
        assert dask.config.get(trim) == 5
