"""Alerts are run by Prometheus' own tool; what they and the dashboard name exists."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from artifactnet.pipeline.output.gauges import NAMES

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "templates" / "monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
BOARD = json.loads((MONITORING / "dashboard.json").read_text())
EXPRESSIONS = [one["expr"] for one in RULES] + [
    target["expr"] for panel in BOARD["panels"] for target in panel["targets"]
]


def test_alerts_and_dashboard_use_every_gauge_and_no_other() -> None:
    used = {name for one in EXPRESSIONS for name in re.findall(r"artifactnet_\w+", one)}
    assert used == set(NAMES)


@pytest.mark.parametrize("rule", RULES, ids=lambda one: one["alert"])
def test_the_runbook_says_what_to_do(rule: dict) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}
    assert rule["alert"].lower() == anchor


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_raises_them(tmp_path: Path) -> None:
    for path in (MONITORING / "alerts.yaml", Path(__file__).with_name("alerts_test.yaml")):
        shutil.copy(path, tmp_path)
    for command in (("check", "rules", "alerts.yaml"), ("test", "rules", "alerts_test.yaml")):
        done = subprocess.run(
            ["promtool", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    rules = [{"record": f"r{number}", "expr": re.sub(r"\$\w+", ".*", one)}
             for number, one in enumerate(EXPRESSIONS)]  # fmt: skip
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
