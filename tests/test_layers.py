"""Imports point one way: pipeline -> transforms -> models."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "models": {"transforms", "pipeline", "apache_beam"},
    "transforms": {"pipeline"},
    "pipeline": set(),
}


def imported(path: Path) -> set[str]:
    """Packages that a file imports: ``transforms`` for ``artifactnet.transforms.decode``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        names |= {name.removeprefix("artifactnet.").split(".")[0] for name in modules}
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        assert not imported(path) & FORBIDDEN[package], path


def test_modules_say_what_they_do() -> None:
    for package in FORBIDDEN:
        for path in (ROOT / package).rglob("*.py"):
            assert ast.get_docstring(ast.parse(path.read_text())), path


def test_folders_stay_small() -> None:
    for package in FORBIDDEN:
        for folder in [ROOT / package, *(ROOT / package).rglob("*/")]:
            files = [
                one for one in folder.iterdir() if one.is_file() and "__init__" not in one.name
            ]
            assert len(files) <= 14, folder
