"""Every store does what `databroker.testing.stores` says."""

from databroker.testing.stores import *  # noqa: F403 - every test, and nothing else
