"""What models printed, for whoever debugs them."""

from aiohttp import web

from deepaas.http.keys import OUTPUT, SETTINGS


async def output(request: web.Request) -> web.Response:
    """Answer with the recent output, or with nothing when the endpoint is switched off."""
    if not request.app[SETTINGS].debug_endpoint:
        return web.Response(status=204)
    return web.Response(text=request.app[OUTPUT].text())
