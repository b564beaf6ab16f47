"""What the gateway answers to plain HTTP: a page for visitors, and its health."""

from __future__ import annotations

import html
from string import Template

import orjson

from realtime_actors import __version__
from realtime_actors.transports import Request, Response

__all__ = ["health", "not_found", "page"]

_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>realtime_actors</title>
<style>
  :root {
    --ground: #f7f7f4; --card: #ffffff; --ink: #1d2125; --soft: #5c656d; --line: #dfe2e0; --accent: #0b6e5f;
    color-scheme: light dark;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --ground: #14171a; --card: #1c2024; --ink: #e8eaec; --soft: #9aa4ad; --line: #2f353b; --accent: #5ec9b4;
    }
  }
  * { box-sizing: border-box; }
  body {
    margin: 0; padding: 8vh 1.25rem 4rem; background: var(--ground); color: var(--ink);
    font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  }
  main { max-width: 42rem; margin: 0 auto; }
  h1 { margin: 0 0 .25rem; font-size: 1.75rem; letter-spacing: -.02em; }
  .lead { margin: 0 0 2rem; color: var(--soft); font-size: 1.1rem; }
  section {
    margin: 0 0 1rem; padding: 1.1rem 1.25rem; background: var(--card);
    border: 1px solid var(--line); border-radius: .75rem;
  }
  h2 { margin: 0 0 .4rem; font-size: 1rem; color: var(--accent); }
  p { margin: 0 0 .6rem; }
  p:last-child, pre:last-child { margin-bottom: 0; }
  code, pre { font: .9rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
  pre {
    margin: 0 0 .6rem; padding: .7rem .9rem; overflow-x: auto; background: var(--ground);
    border: 1px solid var(--line); border-radius: .5rem;
  }
  footer { margin-top: 2rem; color: var(--soft); font-size: .9rem; }
</style>
</head>
<body>
<main>
  <h1>realtime_actors</h1>
  <p class="lead">A voice agent is listening here, over a WebSocket.</p>
  <section>
    <h2>Talk to it from a terminal</h2>
    <pre>realtime-actors talk question.wav --url $url/ws/me/first
realtime-actors talk --text "what time is it" --url $url/ws/me/first</pre>
    <p>It prints who said what, the tool calls and the latencies; <code>--save reply.wav</code> keeps the answer.</p>
  </section>
  <section>
    <h2>Connect a frontend</h2>
    <pre>$url/ws/{user_id}/{session_id}</pre>
    <p>Send <code>client_session_create</code> as JSON, wait for <code>agent_ready</code>, then send text or audio
      (PCM16, mono). The subprotocol <code>realtime-actors.msgpack</code> carries the same events as msgpack, with
      audio as raw bytes.</p>
    <pre>{"type": "client_session_create", "config": {"instructions": "Be brief.", "agent_name": "Friday"}}
{"type": "client_text_append", "session_id": "first", "text": "Hello!"}</pre>
    $access
  </section>
  <footer>realtime_actors $version &middot; sessions open: $sessions &middot; health: <code>/healthz</code></footer>
</main>
</body>
</html>
""")

_HOW_TO_BE_LET_IN = (
    "<p>A token is needed here: as <code>Authorization: Bearer …</code>, or from a browser as the subprotocol "
    "<code>realtime-actors.token.…</code> beside <code>realtime-actors.json</code>.</p>"
)


def page(request: Request, *, sessions: int, token_needed: bool) -> Response:
    """What a visitor sees at `/`."""
    scheme = "wss" if request.headers.get("x-forwarded-proto", "").lower() == "https" else "ws"
    host = request.headers.get("host", "") or "127.0.0.1"
    text = _PAGE.substitute(
        url=html.escape(f"{scheme}://{host}"),
        version=html.escape(__version__),
        sessions=str(sessions),
        access=_HOW_TO_BE_LET_IN if token_needed else "",
    )
    return Response(headers=_HEADERS, body=text.encode())


def health(*, sessions: int, max_sessions: int) -> Response:
    """What a load balancer reads at `/healthz`."""
    body = {"status": "ok", "sessions": sessions, "max_sessions": max_sessions, "version": __version__}
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return Response(headers=headers, body=orjson.dumps(body))


def not_found() -> Response:
    """The answer to every other path."""
    return Response.text(404, "there are /, /healthz and /ws/{user_id}/{session_id} here")
