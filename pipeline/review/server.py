"""The review queue as a local page: one track after the other, with its evidence and its players.

Enters: a queue, and functions that make a page and store a decision. Leaves: a Starlette
application. It is for one person on one machine: it answers under a secret path only, and only to
this machine's own names, so that no other page in the browser can reach it or decide.
"""

import hmac
import secrets
from collections.abc import Callable
from urllib.parse import parse_qs, quote

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from artifactnet.pipeline.review.decisions import Decision, decided
from artifactnet.pipeline.review.queue import Asked, Queue

HOSTS = ["127.0.0.1", "localhost"]
MOST_BYTES = 20_000
"""Of a form: a note is shorter."""
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
FILTERS = ("open", "decided", "all")

TrackPage = Callable[[Asked, "ReviewBar"], str]
ListPage = Callable[[list[Asked], Queue, str, str], str]


class ReviewBar:
    """What a track's page needs to be reviewed: addresses, progress, the decision so far.

    Attributes:
      nonce: that the one script of the page carries.
    """

    def __init__(self, asked: Asked, queue: Queue, root: str) -> None:
        before, after = queue.beside(asked.fingerprint)
        self.nonce = secrets.token_urlsafe(12)
        self.fingerprint = asked.fingerprint
        self.decision = asked.decision
        self.action = f"{root}/decide"
        self.all = f"{root}/list"
        self.before = before and f"{root}/track/{quote(before, safe='')}"
        self.after = after and f"{root}/track/{quote(after, safe='')}"
        self.done, self.total = queue.decided, len(queue)


def review_app(
    queue: Queue,
    token: str,
    who: str,
    track_page: TrackPage,
    list_page: ListPage,
    store: Callable[[Decision], None],
) -> Starlette:
    """The application.

    Args:
      queue: what is asked.
      token: first part of every path.
      who: decides.
      track_page: HTML of a track.
      list_page: HTML of the list.
      store: keeps a decision for good.
    """
    root = f"/{token}"

    def allowed(request: Request) -> bool:
        return hmac.compare_digest(request.path_params["token"].encode(), token.encode())

    def place_of(name: str) -> str:
        return f"{root}/track/{quote(name, safe='')}" if name else f"{root}/list?show=all"

    def refused() -> Response:
        return PlainTextResponse("not found", 404, HEADERS)

    async def start(request: Request) -> Response:
        if not allowed(request):
            return refused()
        return RedirectResponse(place_of(queue.next_open()), 303, HEADERS)

    async def tracks(request: Request) -> Response:
        if not allowed(request):
            return refused()
        show = request.query_params.get("show", "open")
        show = show if show in FILTERS else "open"
        chosen = [
            one for one in queue if show == "all" or (one.decision is None) == (show == "open")
        ]
        return HTMLResponse(list_page(chosen, queue, show, root), headers=HEADERS)

    async def track(request: Request) -> Response:
        name = request.path_params["name"]
        if not allowed(request) or name not in queue:
            return refused()
        asked = queue[name]
        page = await run_in_threadpool(track_page, asked, ReviewBar(asked, queue, root))
        # Evidence takes seconds: the next track's is made while this one is looked at.
        ahead = queue.next_open(name)
        task = None
        if ahead and ahead != name:
            following = queue[ahead]
            task = BackgroundTask(track_page, following, ReviewBar(following, queue, root))
        return HTMLResponse(page, headers=HEADERS, background=task)

    async def decide(request: Request) -> Response:
        if not allowed(request):
            return refused()
        origin = request.headers.get("origin")
        if origin not in (None, "null", f"http://{request.headers['host']}"):
            return PlainTextResponse("from another page", 403, HEADERS)
        body = await request.body()
        if len(body) > MOST_BYTES:
            return PlainTextResponse("the note is too long", 413, HEADERS)
        form = parse_qs(body.decode("utf-8", "replace"))
        fields = ("fingerprint", "decision", "note")
        name, choice, note = (form.get(field, [""])[0] for field in fields)
        if name not in queue:
            return refused()
        try:
            made = decided(queue[name].row, choice, note, who)
        except ValueError as error:
            return PlainTextResponse(str(error), 400, HEADERS)
        await run_in_threadpool(store, made)
        queue.decide(made)
        following = queue.next_open(name)
        where = (
            f"{root}/track/{quote(following, safe='')}" if following else f"{root}/list?show=all"
        )
        return RedirectResponse(where, 303, HEADERS)

    return Starlette(
        routes=[
            Route("/{token}/", start),
            Route("/{token}/list", tracks),
            Route("/{token}/track/{name:path}", track),
            Route("/{token}/decide", decide, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)],
    )
