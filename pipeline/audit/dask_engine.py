"""What an audit on Dask does differently: how many partitions, and settings of its workers.

Enters: Beam's options. Leaves: partitions for ``AuditOptions``, and Dask's configuration with other
defaults; what a user has set stays. Beam's DaskRunner keeps the partitions that a collection
begins with, so a single manifest would be work for a single process.
"""

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

DASK_RUNNER = "apache_beam.runners.dask.dask_runner.DaskRunner"
PARTITIONS = 16
"""By default: each costs some tenths of a second, and few of them leave workers idle at the end."""

MEBIBYTE = 2**20
SETTINGS = {
    "distributed": {
        # Dask has freed memory given back at once, and so has the kernel clear the pages of
        # every array anew: two thirds of a worker's time. These are what glibc grows to itself.
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


def dask_partitions(options: PipelineOptions) -> int:
    """Partitions that ``--dask_npartitions`` asks for, or the default; 0 for another runner.

    Whoever names neither them nor their size gets a partition a manifest, and at least as many.
    """
    if options.view_as(StandardOptions).runner != DASK_RUNNER:
        return 0
    from apache_beam.runners.dask.dask_runner import DaskOptions

    dask = options.view_as(DaskOptions)
    if not dask.npartitions and not dask.partition_size:
        dask.partition_size = 1
    return dask.npartitions or PARTITIONS


def set_up_dask() -> None:
    """Change Dask's defaults, for workers that are started from now on.

    A cluster that runs already has settings of its own: docs/audit.md says which.
    """
    import dask.config
    import distributed  # noqa: F401 (its defaults must be there before they are changed)

    dask.config.update_defaults(SETTINGS)
