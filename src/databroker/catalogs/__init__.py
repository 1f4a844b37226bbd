"""Catalogs: Runs and their streams, as users hold them in their hands."""
