"""SMART App Launch: from the EHR's click to a workspace of its own, and every route of that workspace."""

from smart_app.launch.parts import LaunchParts
from smart_app.launch.routes import launch_routes

__all__ = ["LaunchParts", "launch_routes"]
