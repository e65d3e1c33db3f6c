"""The page of a review: by requests, and in a real browser where there is one."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.testclient import TestClient

from artifactnet.pipeline.evidence.render import list_page, missing_page
from artifactnet.pipeline.review.decisions import Decision
from artifactnet.pipeline.review.queue import Asked, Queue
from artifactnet.pipeline.review.review import listening
from artifactnet.pipeline.review.server import ReviewBar, review_app
from tests.pipeline.review.test_decisions import row

TOKEN = "secret"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def page(asked: Asked, bar: ReviewBar) -> str:
    return missing_page(asked.row, "a test has no sound", bar)


def made(stored: list[Decision]):  # type: ignore[no-untyped-def]
    queue = Queue([row("a/<b>", 0.99), row("c", 0.9)], {}, ("ai",))
    return review_app(queue, TOKEN, "kim", page, list_page, stored.append)


@pytest.fixture
def stored() -> list[Decision]:
    return []


@pytest.fixture
def client(stored: list[Decision]) -> TestClient:
    return TestClient(made(stored), base_url="http://127.0.0.1:8000")


def form(name: str, decision: str, note: str = "") -> dict[str, str]:
    return {"fingerprint": f"hash of {name}", "decision": decision, "note": note}


def test_one_track_after_the_other_until_all_are_decided(
    client: TestClient, stored: list[Decision]
) -> None:
    first = client.get(f"/{TOKEN}/")
    assert "a/&lt;b&gt;" in first.text
    assert "0 of 2 decided" in first.text
    second = client.post(f"/{TOKEN}/decide", data=form("a/<b>", "real", "a friend"))
    assert "<h1>c</h1>" in second.text
    last = client.post(f"/{TOKEN}/decide", data=form("c", "unsure"))
    assert "2 of 2 decided" in last.text
    assert "a friend" in last.text
    assert [(one.track_id, one.decision, one.who) for one in stored] == [
        ("a/<b>", "real", "kim"), ("c", "unsure", "kim"),
    ]  # fmt: skip
    assert "None." in client.get(f"/{TOKEN}/list?show=open").text


def test_nobody_else_gets_in(client: TestClient, stored: list[Decision]) -> None:
    for path in ("/", "/wrong/", "/wrong/list", "/wrong/track/hash of c"):
        assert client.get(path).status_code == 404
    assert client.post("/wrong/decide", data=form("c", "ai")).status_code == 404
    elsewhere = {"origin": "http://evil.example"}
    answer = client.post(f"/{TOKEN}/decide", data=form("c", "ai"), headers=elsewhere)
    assert answer.status_code == 403
    rebound = client.get(f"/{TOKEN}/", headers={"host": "evil.example"})
    assert rebound.status_code == 400
    assert stored == []


def test_what_is_no_decision_is_refused(client: TestClient, stored: list[Decision]) -> None:
    assert client.post(f"/{TOKEN}/decide", data=form("nobody", "ai")).status_code == 404
    assert client.post(f"/{TOKEN}/decide", data=form("c", "maybe")).status_code == 400
    long = client.post(f"/{TOKEN}/decide", data=form("c", "ai", "x" * 30_000))
    assert long.status_code == 413
    assert stored == []


def test_a_page_is_kept_nowhere_and_runs_one_script_only(client: TestClient) -> None:
    answer = client.get(f"/{TOKEN}/")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "script-src 'nonce-" in answer.text
    assert answer.text.count("<script") == 1
    assert client.get(f"/{TOKEN}/list").text.count("<script") == 0


@contextmanager
def served(stored: list[Decision]) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(made(stored), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/{TOKEN}/"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the PATH")
def test_by_keys_in_a_browser(stored: list[Decision]) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    with served(stored) as address, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        problems: list[str] = []
        tab.on("console", lambda message: problems.append(message.text))
        tab.goto(address)
        assert tab.inner_text("h1") == "a/<b>"
        tab.keyboard.press("n")
        tab.wait_for_selector("h1:has-text('c')")
        tab.keyboard.press("b")
        tab.wait_for_selector("h1:has-text('a/')")
        tab.keyboard.press("t")
        tab.keyboard.type("are these keys?")  # a, r and u are letters here
        tab.keyboard.press("Escape")
        tab.keyboard.press("r")
        tab.wait_for_selector("h1:has-text('c')")
        tab.keyboard.press("a")
        tab.wait_for_selector("h1:has-text('2 of 2')")
        browser.close()
    assert [(one.decision, one.note) for one in stored] == [("real", "are these keys?"), ("ai", "")]
    assert problems == []


def test_a_port_that_is_taken_is_named() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ValueError, match=r"--port \d+: .*another number, or none"),
    ):
        listening(taken.getsockname()[1])
