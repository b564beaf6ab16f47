"""The URL of a gateway, as people write it."""

__all__ = ["websocket_url"]


def websocket_url(text: str) -> str:
    """The `ws://` or `wss://` URL for a page's, for a WebSocket's, or for HOST:PORT alone. Other schemes stay."""
    url = text.strip()
    if "://" not in url:
        return f"ws://{url}"
    for page, websocket in (("http://", "ws://"), ("https://", "wss://")):
        if url.lower().startswith(page):
            return websocket + url[len(page) :]
    return url
