"""Puts the parts together: reflectors and probers feed the inventory, the refresher judges and renders, the web serves."""

from __future__ import annotations

from exporter.app.app import App

__all__ = ["App"]
