"""What keeps the service running and watched: figures, limits, draining, readiness, its own description."""
