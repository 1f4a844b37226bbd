import subprocess
import sys

HEAVY = ("bluesky", "dask", "event_model", "intake", "matplotlib", "numpy", "ophyd", "pandas",
         "sqlalchemy", "xarray")  # fmt: skip


def test_help_imports_nothing_heavy():
    script = (
        "import sys\n"
        "from databroker.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "databroker list runs.db" in result.stdout
    assert result.stderr == "[]\n"
