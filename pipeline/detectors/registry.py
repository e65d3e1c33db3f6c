"""From what stands on the command line to a detector.

Enters: ``NAME``, ``NAME:ARGUMENT`` or ``package.module:factory``. Leaves: a ``Detector``. Names are
ours, and those of the entry point group ``artifactnet.detectors``, so that ``pip install
some-detector`` adds one.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from artifactnet.pipeline.detectors.protocol import Detector, DetectorError, checked

GROUP = "artifactnet.detectors"
OURS = {
    "artifactnet": "artifactnet.pipeline.detectors.ours:open_artifactnet",
    "onnx": "artifactnet.pipeline.detectors.onnx_detector:open_onnx",
    "spectttra": "artifactnet.pipeline.detectors.published:open_spectttra",
    "clam": "artifactnet.pipeline.detectors.published:open_clam",
    "fakeprint": "artifactnet.pipeline.detectors.published:open_fakeprint",
}
"""Imported when they are asked for: each needs packages of its own."""


def known_names() -> list[str]:
    """Detectors that can be asked for by name here."""
    return [*OURS, *sorted(one.name for one in entry_points(group=GROUP) if one.name not in OURS)]


def _imported(text: str, asked: str) -> Callable[..., Any]:
    module, _, name = text.partition(":")
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if module in (one.partition(":")[0] for one in OURS.values()):
            raise  # of a package that it needs: the command line says which extra brings it
        if error.name not in (module, module.split(".")[0]):
            raise _refused(asked, error) from error
        raise DetectorError(f"--detector {asked}: no module {module} ({error})") from error
    except AttributeError as error:
        raise DetectorError(f"--detector {asked}: {module} has no {name}") from error
    except Exception as error:  # of a module that is not ours
        raise _refused(asked, error) from error
    if not callable(found):
        raise DetectorError(f"--detector {asked}: {text} is no function that makes a detector")
    return found


def _refused(asked: str, error: BaseException) -> DetectorError:
    """What somebody else's code raised, in one line."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return DetectorError(f"--detector {asked}: {reason}")


def open_detector(asked: str) -> Detector:
    """The detector that ``asked`` names.

    Raises:
      DetectorError: there is none of that name, or it can't be used.
    """
    name, _, argument = asked.partition(":")
    if name in OURS:
        factory = _imported(OURS[name], asked)
        return checked(factory(argument), asked)
    plugin = next((one for one in entry_points(group=GROUP) if one.name == name), None)
    if plugin is not None:
        try:
            factory = plugin.load()
        except Exception as error:  # of a package that is not ours
            raise _refused(asked, error) from error
    elif argument and all(part.isidentifier() for part in name.split(".")):
        factory, argument = _imported(asked, asked), ""
    else:
        raise DetectorError(
            f"--detector {asked}: use one of {', '.join(known_names())}, or package.module:factory"
        )
    try:
        made = factory(argument) if argument else factory()
    except DetectorError:
        raise
    except (Exception, SystemExit) as error:  # of a package that is not ours
        raise _refused(asked, error) from error
    return checked(made, asked)
