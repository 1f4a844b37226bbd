import re
import struct
import subprocess
import sys

import pytest
from click.testing import CliRunner

import databroker
from databroker.cli import main

pytest.importorskip("bluesky")
pytest.importorskip("ophyd")
pytest.importorskip("matplotlib")


def take_the_tour(folder):
    command = [sys.executable, "-c", "from databroker.cli import main; main()", "demo"]
    return subprocess.run(
        [*command, "--folder", str(folder)], capture_output=True, text=True, timeout=240
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "made by the demo"


@pytest.fixture(scope="module")
def tour(folder):
    return take_the_tour(folder)


pytestmark = pytest.mark.timeout(300)


def test_the_demo_ends_well_and_without_a_word_on_stderr(tour):
    assert tour.stderr == ""
    assert tour.returncode == 0


def test_the_demo_records_a_count_a_grid_scan_an_aborted_run_and_a_slow_count(tour, folder):
    with databroker.open(folder / "demo.db", mode="read") as catalog:
        runs = list(reversed(list(catalog.values())))
        assert [(run.start["plan_name"], run.stop["exit_status"]) for run in runs] == [
            ("count", "success"),
            ("grid_scan", "success"),
            ("half_a_run", "abort"),
            ("count", "success"),
        ]
        assert [run.start["scan_id"] for run in runs] == [1, 2, 3, 4]
        counts = [{name: stream.shape[0] for name, stream in run.items()} for run in runs]
        assert counts == [
            {"primary": 20},
            {"baseline": 2, "primary": 441},
            {"baseline": 2, "primary": 1},
            {"baseline": 2, "primary": 10},
        ]


def test_the_demo_lists_searches_and_reads(tour):
    assert "demo: 3 Runs in" in tour.stdout
    assert "search results: 2 Runs in" in tour.stdout
    assert "* primary  (441 Events)" in tour.stdout
    assert re.search(r"det4 +\(time\) float64", tour.stdout)


def test_the_demo_follows_a_run_from_a_second_process_while_it_is_recorded(tour):
    lines = re.findall(r"\[another process\] (.*)", tour.stdout)
    assert lines[0] == "opened demo: 3 Runs; waiting for a new one"
    assert lines[1] == "Run 4 began"
    assert lines[-1] == "Run 4 ended: success"
    counts = [int(number) for number in re.findall(r"Event (\d+): noisy_det is", tour.stdout)]
    assert counts[-1] == 10
    assert counts[0] < 10, "it saw Events before the Run ended"


def test_the_demo_says_where_it_wrote_the_plot(tour, folder):
    assert f"The plot is in {folder / 'demo.png'}" in tour.stdout
    data = (folder / "demo.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", data[16:24])
    assert width > height > 300


def test_without_bluesky_the_demo_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "bluesky", None)
    monkeypatch.delitem(sys.modules, "databroker.cli.tour", raising=False)
    result = CliRunner().invoke(main, ["demo", "--folder", str(tmp_path / "new")])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: The demo needs bluesky")
    assert "pip install databroker[demo]" in line
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    file = tmp_path / "file"
    file.touch()
    result = CliRunner().invoke(main, ["demo", "--folder", str(file / "demo")])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert str(file / "demo") in line
