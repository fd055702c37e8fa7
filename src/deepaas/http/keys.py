"""What the handlers find in the application."""

from aiohttp import web

from deepaas.http.output import RecentOutput
from deepaas.service import Service
from deepaas.settings import Settings

SERVICE = web.AppKey("service", Service)
SETTINGS = web.AppKey("settings", Settings)
OUTPUT = web.AppKey("output", RecentOutput)
