"""Addresses of a manifest that nobody trusts."""

from pathlib import Path

import pytest

from artifactnet.transforms.elements.errors import ManifestRowError
from artifactnet.transforms.manifests.roots import AllowedRoots


def test_without_roots_everything_is_allowed() -> None:
    AllowedRoots().check("/etc/passwd")


@pytest.mark.parametrize("address", ["/music/a.mp3", "/music/b/../c.mp3", "gs://bucket/cat/x.mp3"])
def test_inside(address: str) -> None:
    AllowedRoots(("/music/", "gs://bucket/cat")).check(address)


@pytest.mark.parametrize(
    "address",
    [
        "/etc/passwd", "/music/../etc/passwd", "/musical/a.mp3", "s3://bucket/cat/x.mp3",
        "gs://bucket/catalogue/x.mp3", "gs://other/cat/x.mp3", "gs://bucket/cat/../secret",
    ],
)  # fmt: skip
def test_outside(address: str) -> None:
    with pytest.raises(ManifestRowError, match="--allow-root"):
        AllowedRoots(("/music", "gs://bucket/cat")).check(address)


def test_links_lead_outside(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "secret.wav").touch()
    (tmp_path / "music" / "link.wav").symlink_to(tmp_path / "secret.wav")
    with pytest.raises(ManifestRowError, match=r"link\.wav lies outside"):
        AllowedRoots((str(tmp_path / "music"),)).check(str(tmp_path / "music" / "link.wav"))
