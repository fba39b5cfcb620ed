"""Reads and checks the knowledge folder: the only disk access of the core."""
