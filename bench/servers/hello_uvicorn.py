"""The same bytes as sobaya-bare.ts sends, for Uvicorn."""

body = b"Hello, world!"


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")]})
    await send({"type": "http.response.body", "body": body})
