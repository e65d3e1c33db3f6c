"""Flags of the command line that are meant for Beam.

Enters: what ``artifactnet`` did not recognise. Leaves: the same, once every flag is known to
Beam. Beam itself drops unknown flags with a warning; a typing error must not cost a run.
"""

import argparse
import difflib
import importlib
from collections.abc import Sequence
from typing import Any

import typer
from apache_beam.options.pipeline_options import PipelineOptions

OURS = {"--direct_num_workers": "--workers", "--direct_running_mode": "--workers"}
"""Flags of Beam that a flag of ours stands for."""


class UnknownFlagError(ValueError):
    """A flag that neither ``artifactnet`` nor Beam knows."""


def _subclasses(options: Any) -> list[Any]:
    direct: list[Any] = options.__subclasses__()
    return direct + [below for one in direct for below in _subclasses(one)]


def beam_flags(extra: Sequence[str], own_flags: Sequence[str]) -> tuple[str, ...]:
    """Check flags that go to Beam.

    Args:
      extra: arguments that are not our own.
      own_flags: ours, to suggest from.

    Raises:
      UnknownFlagError: naming the flag, and the nearest known one.
    """
    flags = [flag for flag in extra if flag != "--"]
    if any(flag.startswith("--dask_") for flag in flags):
        importlib.import_module("apache_beam.runners.dask.dask_runner")  # brings its options
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for options in _subclasses(PipelineOptions):
        try:
            options._add_argparse_args(parser)
        except argparse.ArgumentError:
            continue  # two of Beam's own classes share this flag
    known = [name for action in parser._actions for name in action.option_strings]
    for flag in flags:
        name = flag.partition("=")[0]
        if name in OURS:
            raise UnknownFlagError(f"{name}: use {OURS[name]} instead")
        if flag.startswith("--") and name not in known:
            nearest = difflib.get_close_matches(name, [*own_flags, *known], 1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise UnknownFlagError(f"unknown flag {name}{hint} (see artifactnet audit --help)")
    try:
        _, left = parser.parse_known_args(flags)
    except argparse.ArgumentError as error:
        raise UnknownFlagError(str(error)) from error
    if left:
        raise UnknownFlagError(f"unexpected argument {left[0]!r}: one catalogue at a time")
    return tuple(flags)


def beam_flags_of(context: typer.Context) -> tuple[str, ...]:
    """The flags of a command that are not its own, checked.

    Raises:
      UnknownFlagError: see ``beam_flags``.
    """
    own = [name for parameter in context.command.params for name in parameter.opts]
    return beam_flags(context.args, own)
