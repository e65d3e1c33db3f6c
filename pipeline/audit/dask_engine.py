"""What an audit on Dask does differently: how many partitions, and settings of its workers.

Enters: Beam's options. Leaves: options with a number of partitions, and Dask's configuration with
other defaults; what a user has set stays. Beam's DaskRunner keeps the partitions that a collection
begins with, so a single manifest would be work for a single process.
"""

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from artifactnet.pipeline.audit.local_runner import usable_cores

DASK_RUNNER = "apache_beam.runners.dask.dask_runner.DaskRunner"
LEAST_PARTITIONS = 16
"""Each costs some tenths of a second, and few of them leave workers idle at the end."""

MEBIBYTE = 2**20
SETTINGS = {
    "distributed": {
        # Dask gives freed memory back at once, so the kernel clears new pages for each array: 40 %
        # of an audit's processor time. glibc would raise both to these values by itself.
        "nanny": {
            "pre-spawn-environ": {
                "MALLOC_MMAP_THRESHOLD_": 32 * MEBIBYTE,
                "MALLOC_TRIM_THRESHOLD_": 64 * MEBIBYTE,
            }
        },
        # A look at the stack every 10 ms, for a dashboard that an audit has not.
        "worker": {"profile": {"enabled": False}},
    }
}


def on_dask(options: PipelineOptions) -> bool:
    """Whether the job runs on Dask."""
    return options.view_as(StandardOptions).runner == DASK_RUNNER


def set_partitions(options: PipelineOptions) -> int:
    """Ask Dask for partitions, unless ``--dask_npartitions`` does; how many it will be.

    Raises:
      ValueError: the flags ask for none, or for a size, which would cut a collection of one
        manifest and one of a thousand earlier tables alike.
    """
    from apache_beam.runners.dask.dask_runner import DaskOptions

    dask = options.view_as(DaskOptions)
    if dask.partition_size:
        raise ValueError("--dask_partition_size: use --dask_npartitions instead")
    if dask.npartitions is None:
        here = 0 if dask.address or dask.scheduler_file else 2 * usable_cores()
        dask.npartitions = max(LEAST_PARTITIONS, here)
    if dask.npartitions < 1:
        raise ValueError(f"--dask_npartitions {dask.npartitions}: at least 1")
    return int(dask.npartitions)


def set_up_dask() -> None:
    """Change Dask's defaults, for workers that are started from now on.

    A cluster that runs already has settings of its own: docs/audit.md says which.
    """
    import dask.config
    import distributed  # noqa: F401 (its defaults must be there before they are changed)

    dask.config.update_defaults(SETTINGS)
