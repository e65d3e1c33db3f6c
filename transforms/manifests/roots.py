"""Where the tracks of a manifest may lie.

Enters: addresses that a manifest names. Leaves: nothing, or an error for an address outside of the
roots that were allowed. A manifest is untrusted: an audit reads with its worker's rights, and what
it finds out of a file (that it exists, how long it is, how it sounds) goes into the output.
"""

import os
import posixpath
from dataclasses import dataclass

from artifactnet.transforms.elements.errors import ManifestRowError


@dataclass(frozen=True)
class AllowedRoots:
    """Folders, buckets and prefixes; with none of them, every address is allowed.

    Attributes:
      roots: absolute, e.g. ``/music`` or ``gs://bucket/catalogue``.
    """

    roots: tuple[str, ...] = ()

    def check(self, address: str) -> None:
        """Refuse an address that is not below a root, wherever links lead.

        Raises:
          ManifestRowError: naming the roots.
        """
        if not self.roots:
            return
        try:
            self._check(address)
        except (ValueError, OSError) as error:
            if isinstance(error, ManifestRowError):
                raise
            raise ManifestRowError(f"{address!r} can't be looked at ({error})") from error

    def _check(self, address: str) -> None:
        scheme, separator, rest = address.partition("://")
        if separator:  # stores take names as they are, so "a/../b" is no way up
            place = f"{scheme}://{rest}"
            parts = rest.split("/")
            inside = ".." not in parts and any(_below(place, root) for root in self.roots)
        else:
            place = os.path.realpath(address)
            roots = (os.path.realpath(root) for root in self.roots if "://" not in root)
            inside = any(_below(place, root) for root in roots)
        if not inside:
            named = ", ".join(self.roots)
            raise ManifestRowError(f"{address} lies outside of what --allow-root names ({named})")


def _below(place: str, root: str) -> bool:
    root = root.rstrip("/")
    return place == root or place.startswith(posixpath.join(root, ""))
