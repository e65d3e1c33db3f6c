"""A request's fields are a command's options: one list for both.

Enters: a frozen dataclass whose fields were made by ``option`` or ``argument``. Leaves: a function
that Typer takes as a command, with one parameter for each field, and that calls ours with the
request. What a command may be asked, how it is checked, what it is by default and what its help
says stands in the dataclass alone, and the run record writes down the same fields.
"""

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from artifactnet.transforms.audio.codec_spec import BACKEND_NAMES, parse_codecs
from artifactnet.transforms.detector.evidence import EVIDENCE, FLAGGED

KEY = "typer"
ResultT = TypeVar("ResultT")


@dataclasses.dataclass(frozen=True)
class Parameter:
    """How a field is asked for.

    Attributes:
      info: Typer's own description.
      parse: makes the field's value of the text, or raises ValueError; ``None`` where Typer's
        conversion to the field's type does.
      text: the default as text, where there is a ``parse``.
    """

    info: Any
    parse: Callable[[str], Any] | None = None
    text: str = ""


def argument(*, help: str, default: Any = dataclasses.MISSING) -> Any:
    """A field that the command line gives by its place."""
    parameter = Parameter(typer.Argument(help=help))
    return dataclasses.field(default=default, metadata={KEY: parameter})


def option(
    *names: str,
    help: str,
    default: Any = dataclasses.MISSING,
    parse: Callable[[str], Any] | None = None,
    text: str = "",
    **more: Any,
) -> Any:
    """A field that the command line gives by ``--field-name``, or by ``names``.

    Args:
      names: in place of ``--field-name``.
      help: a sentence.
      default: of the field; without one the option must be given.
      parse: see ``Parameter``.
      text: see ``Parameter``.
      more: passed on to ``typer.Option``, such as ``min`` and ``max``.
    """
    parameter = Parameter(typer.Option(*names, help=help, **more), parse, text)
    return dataclasses.field(default=default, metadata={KEY: parameter})


def takes(request: type) -> Callable[[Callable[..., ResultT]], Callable[..., ResultT]]:
    """Make a command of a function whose parameter ``request`` is of this dataclass."""

    def decorate(function: Callable[..., ResultT]) -> Callable[..., ResultT]:
        asked = _parameters(request)
        signature = inspect.signature(function)
        own = [one for one in signature.parameters.values() if one.name != "request"]
        hints = get_type_hints(function, include_extras=True)
        by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
        every = [*asked, *by_name]

        @functools.wraps(function)
        def command(**given: Any) -> ResultT:
            fields = {one.name: _value(request, one.name, given.pop(one.name)) for one in asked}
            return function(request=request(**fields), **given)

        command.__signature__ = signature.replace(parameters=every)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: hints.get(one.name, one.annotation) for one in every}
        return command

    return decorate


def _parameters(request: type) -> list[inspect.Parameter]:
    hints = get_type_hints(request)
    found = []
    for field in dataclasses.fields(request):
        parameter: Parameter | None = field.metadata.get(KEY)
        if parameter is None:
            continue  # set by the program, not asked for
        default = parameter.text if parameter.parse else field.default
        if field.default is dataclasses.MISSING:
            default = inspect.Parameter.empty
        found.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[str if parameter.parse else hints[field.name], parameter.info],
            )
        )
    return found


def _value(request: type, name: str, given: Any) -> Any:
    field = {one.name: one for one in dataclasses.fields(request)}[name]
    parameter: Parameter = field.metadata[KEY]
    if parameter.parse is None:
        return given
    try:
        return parameter.parse(given)
    except ValueError as error:
        flags = parameter.info.param_decls or (f"--{name.replace('_', '-')}",)
        raise typer.BadParameter(str(error), param_hint=f"'{flags[0]}'") from error


def segment_count(text: str) -> int | None:
    """Windows a track; ``None`` for all.

    Raises:
      ValueError: neither a number nor ``all``.
    """
    if text == "all":
        return None
    if not re.fullmatch(r"0*[1-9]\d{0,5}", text, re.ASCII):
        raise ValueError("use a number of windows per track, or 'all'")
    return int(text)


def _backend(text: str) -> str:
    if text not in BACKEND_NAMES:
        raise ValueError(f"use one of {', '.join(BACKEND_NAMES)}")
    return text


def _address(text: str) -> str | None:
    return text or None


def segments() -> Any:
    """How many windows of a track are scored."""
    return option(
        default=7, text="7", parse=segment_count, help="Windows of 4 s per track, or 'all'."
    )


def codecs(text: str = "wav") -> Any:
    """Which codecs a track is scored through."""
    return option(
        default=parse_codecs(text),
        text=text,
        parse=parse_codecs,
        help="Score each track through these codecs too, e.g. wav,mp3:128k,aac:128k,opus:96k.",
    )


def codec_backend() -> Any:
    """Who encodes."""
    return option(
        default="pyav",
        text="pyav",
        parse=_backend,
        help="Who encodes: pyav (in process), pydub (ffmpeg).",
    )


def weights() -> Any:
    """A detector of ours in place of the shipped one."""
    return option(
        default=None,
        parse=_address,
        help="Detector, a safetensors file (path, gs://, s3://); by default the shipped one.",
    )


def model() -> Any:
    """Any detector in place of ours."""
    return option(
        default=None,
        parse=_address,
        help="Any detector as an ONNX file in its place: audio of a batch in, probabilities out.",
    )


def _evidence(text: str) -> str:
    if text not in EVIDENCE:
        raise ValueError(f"use one of {', '.join(EVIDENCE)}")
    return text


def evidence() -> Any:
    """Which segments the networks read beside the head that decides."""
    return option(
        default=FLAGGED,
        text=FLAGGED,
        parse=_evidence,
        help="Which windows ArtifactUNet and CNN read: flagged (of four windows the strongest, "
        "where it looks generated), all, none. The verdict is the same.",
    )


def device() -> Any:
    """Where the networks run."""
    return option(default="auto", help="auto, cpu, cuda, cuda:1 ...")


class DetectorChoiceError(typer.BadParameter, ValueError):
    """``--weights`` and ``--model`` don't name one detector."""


def detector_address(
    weights: Path | str | None, model: Path | str | None
) -> tuple[Path | None, str]:
    """The one detector that ``--weights`` or ``--model`` names: its path, or its address.

    Raises:
      DetectorChoiceError: both are given, or the model's name is not that of an ONNX file.
    """
    if weights and model:
        raise DetectorChoiceError("--weights and --model name two detectors; use one of them")
    if model and not str(model).lower().endswith(".onnx"):
        raise DetectorChoiceError(f"--model {model}: the name of an ONNX file ends in .onnx")
    address = str(weights or model or "")
    return (None, address) if "://" in address else (Path(address) if address else None, "")
