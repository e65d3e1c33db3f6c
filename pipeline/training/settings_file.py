"""What made the files of a folder, so that they aren't taken for those of other settings.

Enters: settings, and the file that keeps those of an earlier call. Leaves: the file, or an
error that names what differs: a checkpoint, a trained fold or an outcome is only ever used again
for what it was made for.
"""

import json
from collections.abc import Mapping
from pathlib import Path


def keep_settings(path: Path, settings: Mapping[str, object]) -> None:
    """Write ``settings`` to ``path``, or compare them with those of what lies beside it.

    Raises:
      ValueError: they differ.
    """
    wanted = json.loads(json.dumps(settings, default=str))
    # Where nothing else was made yet, a mistake in the settings may be mended.
    alone = path.parent.is_dir() and all(one == path for one in path.parent.iterdir())
    if not path.exists() or alone:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(wanted, indent=2) + "\n")
        partial.replace(path)
        return
    stored = json.loads(path.read_text())
    names = sorted(n for n in stored.keys() | wanted.keys() if stored.get(n) != wanted.get(n))
    if names:
        raise ValueError(
            f"{path.parent} holds the work of other settings ({', '.join(names)} differ); name "
            "another folder, or delete it"
        )
