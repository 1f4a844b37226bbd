"""How fast databroker is, beside the plainest thing that could hold the same data."""
