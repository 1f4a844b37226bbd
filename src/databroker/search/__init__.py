"""Finding Runs: what a query means, and the ways to say it.

A query is parsed once into small frozen `nodes`; `python` answers it for one Run, `sql` narrows
the Runs of a database down with the rows that `index` wrote, and both mean the same.
"""
