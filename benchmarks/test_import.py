"""What ``import databroker`` costs."""

import json
import subprocess
import sys

from benchmarks.figures import MILLISECONDS, Compare, Target

HEAVY = {"xarray", "dask", "pandas", "sqlalchemy", "intake"}
CODE = """
import json, sys, time
began = time.perf_counter()
import databroker
print(json.dumps([time.perf_counter() - began, sorted(sys.modules)]))
"""


def seconds(_: int) -> float:
    answer = subprocess.run(
        [sys.executable, "-c", CODE], check=True, capture_output=True, text=True
    )
    time, modules = json.loads(answer.stdout)
    assert HEAVY.isdisjoint(modules)
    return time


def test_importing_databroker_in_a_fresh_interpreter(compare: Compare) -> None:
    compare.quantities(
        "import databroker",
        Target(quantity=0.15),
        ours=seconds,
        floor=None,
        inputs=range(10),
        rounds=10,
        unit=MILLISECONDS,
    )
