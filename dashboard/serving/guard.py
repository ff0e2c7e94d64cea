"""Who may drive the pages from a browser: pages of this server, and no page of another that shows or calls them."""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

UNFRAMED = [(b"content-security-policy", b"frame-ancestors 'none'"), (b"x-frame-options", b"DENY")]
READS = ("GET", "HEAD", "OPTIONS")
VIOLATED = 1008  # a websocket's code for what a policy forbids


@dataclass(frozen=True)
class Guard:
    """Refuses what pages of other origins ask for, those of other ports of this machine too, and being framed by them.

    Streamlit alone accepts any page that this machine serves, whatever program does so.

    Attributes:
        app: what is guarded.
        hosts: names whose pages may call, beside those of the server itself: where a proxy serves it.
    """

    app: Callable[[Scope, Receive, Send], Awaitable[None]]
    hosts: Collection[str] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or holds one websocket."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        acts = scope["type"] == "websocket" or scope["method"] not in READS
        if acts and not self._welcome(dict(scope["headers"])):
            return await _refuse(scope, send)

        async def unframed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *UNFRAMED]}
            await send(message)

        return await self.app(scope, receive, unframed)

    def _welcome(self, headers: dict[bytes, bytes]) -> bool:
        """Whether no browser asks, or a page of this server."""
        origin = headers.get(b"origin")
        if origin is None:
            return True
        try:
            of = urlsplit(origin.decode("latin-1"))
            name = of.hostname
        except ValueError:
            return False
        return bool(name) and (of.netloc.encode("latin-1") == headers.get(b"host") or name in self.hosts)


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": VIOLATED})
        return
    content = b"Pages of other addresses may not use this server.\n"
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": content})
