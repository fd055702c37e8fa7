"""What the handlers find in the application."""

import asyncio

from aiohttp import web

from deepaas.http.access import Tokens
from deepaas.http.browsers import BrowserPolicy
from deepaas.http.output import RecentOutput
from deepaas.http.under_way import UnderWay
from deepaas.metrics import Metrics
from deepaas.service import Service
from deepaas.settings import Settings

SERVICE = web.AppKey("service", Service)
SETTINGS = web.AppKey("settings", Settings)
METRICS = web.AppKey("metrics", Metrics)
TOKENS = web.AppKey("tokens", Tokens)
BROWSERS = web.AppKey("browsers", BrowserPolicy)
SCOPES = web.AppKey("scopes", dict)
UNDER_WAY = web.AppKey("under_way", UnderWay)
STOPPING = web.AppKey("stopping", asyncio.Event)
EVENTS = web.AppKey("events", dict)
"""The events of trainings, by the name of the model."""
OUTPUT = web.AppKey("output", RecentOutput)
