"""Builds the aiohttp application."""

import asyncio

from aiohttp import web

from deepaas.config.settings import Settings
from deepaas.http.auth import read_tokens
from deepaas.http.browser_security import BrowserPolicy
from deepaas.http.context import (
    BROWSER_POLICY,
    EVENT_BROADCASTERS,
    IN_FLIGHT_REQUESTS,
    METRICS,
    RECENT_LOG,
    ROUTE_SCOPES,
    SERVICE,
    SETTINGS,
    STOP_EVENT,
    TOKENS,
    InFlightRequests,
    RecentLogBuffer,
)
from deepaas.http.middleware import allow_origins, request_middleware
from deepaas.http.routes import add_routes
from deepaas.metrics import Metrics
from deepaas.service import Service
from deepaas.trainings.events import TrainingEventBroadcaster


def build_app(
    service: Service, settings: Settings, metrics: Metrics, recent_log: RecentLogBuffer, *, is_local: bool
) -> web.Application:
    """Return the application for `service`; `is_local`: only this machine can connect.

    Raise `SettingsError` for an unreadable or invalid token file.
    """
    app = web.Application(middlewares=[request_middleware])
    if settings.cors_origin:
        allow_origins(app, settings.cors_origin)
    app[SERVICE] = service
    app[SETTINGS] = settings
    app[METRICS] = metrics
    app[TOKENS] = read_tokens(settings)
    app[BROWSER_POLICY] = BrowserPolicy(settings, checks_hosts=is_local and not app[TOKENS])
    app[ROUTE_SCOPES] = {}
    app[STOP_EVENT] = asyncio.Event()
    app[IN_FLIGHT_REQUESTS] = InFlightRequests()
    app[RECENT_LOG] = recent_log
    app[EVENT_BROADCASTERS] = {
        name: TrainingEventBroadcaster(model.get_training, model.get_training_folder, app[STOP_EVENT].is_set)
        for name, model in service.models.items()
    }
    add_routes(app, settings)
    return app
