"""Stores: where Runs are kept."""
