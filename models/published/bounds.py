"""Bounds on the numbers of a configuration, so that a crafted file can't exhaust memory."""

from collections.abc import Mapping


def check_bounds(config: object, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Refuse a configuration with a number out of bounds.

    Args:
      config: whose attributes are looked at.
      bounds: least and most of each, by name.

    Raises:
      ValueError: naming the field.
    """
    for name, (least, most) in bounds.items():
        value = getattr(config, name)
        if not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"{name} is {value!r}; use {least:g} to {most:g}")
