"""For people who test what they built on Databroker, or a store of their own.

- `databroker.testing.documents` makes up Runs of every shape that event-model allows.
- `databroker.testing.comparison` compares documents to the last bit and type.
- `databroker.testing.strategies` draws values, columns and whole Runs with Hypothesis.
- `databroker.testing.stores` is what every store must do, as tests.
"""
