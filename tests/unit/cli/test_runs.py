from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

import databroker
from databroker.cli import main
from databroker.cli.arguments import VARIABLE
from databroker.testing.documents import simple_run

HOUR = 3600.0


@pytest.fixture(autouse=True)
def no_store_in_the_environment(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def runs():
    """Three Runs, the last of them still open; the second one is the newest."""
    return [
        simple_run(seed="first", time=1.7e9, scan_id=1, plan_name="count"),
        simple_run(seed="second", time=1.7e9 + 2 * HOUR, scan_id=2, plan_name="grid_scan"),
        simple_run(seed="third", time=1.7e9 + HOUR, scan_id=3, plan_name="scan", stop=False),
    ]


@pytest.fixture
def path(tmp_path, runs):
    path = tmp_path / "runs.db"
    with databroker.open(path) as catalog:
        for run in runs:
            for name, doc in run:
                catalog.insert(name, doc)
    return str(path)


def uid_of(run):
    return run[0][1]["uid"]


def run_command(*arguments):
    return CliRunner().invoke(main, arguments)


def output_of(*arguments):
    result = run_command(*arguments)
    assert result.stderr == ""
    assert result.exit_code == 0
    return result.stdout


def error_of(*arguments):
    """Return the one line that a command fails with."""
    result = run_command(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line.removeprefix("Error: ")


def misuse_of(*arguments):
    """Return the last line of what a command says that was called wrongly."""
    result = run_command(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr.splitlines()[-1]


def local(time):
    return datetime.fromtimestamp(time, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


# list


def test_list_shows_the_newest_run_first(path, runs):
    first, second, third = map(uid_of, runs)
    assert output_of("list", path).splitlines() == [
        "scan_id  uid       time                 plan_name  status",
        f"2        {second[:8]}  {local(1.7e9 + 2 * HOUR)}  grid_scan  success",
        f"3        {third[:8]}  {local(1.7e9 + HOUR)}  scan       open",
        f"1        {first[:8]}  {local(1.7e9)}  count      success",
    ]


def test_list_shows_no_more_runs_than_the_limit_and_says_so(path, runs):
    titles, newest, rest = output_of("list", path, "--limit", "1").splitlines()
    assert titles.startswith("scan_id")
    assert uid_of(runs[1])[:8] in newest
    assert rest == "… and 2 older; --limit 3 lists all."


def test_list_says_that_a_store_is_empty(tmp_path):
    path = tmp_path / "empty.db"
    databroker.open(path).close()
    assert output_of("list", str(path)) == "The store holds no Runs yet.\n"


def test_list_shows_runs_without_scan_id_time_or_plan_name(tmp_path):
    path = tmp_path / "runs.db"
    with databroker.open(path) as catalog:
        catalog.insert("start", {"uid": "0123456789", "time": "yesterday"})
    assert output_of("list", str(path)).splitlines() == [
        "scan_id  uid       time  plan_name  status",
        "         01234567  ?                open",
    ]


def test_list_does_not_make_a_store(tmp_path):
    path = tmp_path / "nowhere.db"
    assert error_of("list", str(path)) == f"There is no store {path} to read."
    assert not path.exists()


def test_list_refuses_a_file_that_is_no_store(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a store of Runs\n" * 100)
    assert str(path) in error_of("list", str(path))


def test_the_environment_names_the_store(path, monkeypatch):
    monkeypatch.setenv(VARIABLE, path)
    assert output_of("list") == output_of("list", path)
    assert output_of("show", "-1") == output_of("show", path, "-1")


def test_the_store_that_is_given_wins_over_that_of_the_environment(path, monkeypatch):
    shown = output_of("show", path, "2")
    monkeypatch.setenv(VARIABLE, "elsewhere.db")
    assert output_of("show", path, "2") == shown


# show


@pytest.mark.parametrize("by", ["-1", "2", "uid", "partial uid"])
def test_show_finds_a_run_by_index_scan_id_and_uid(path, runs, by):
    uid = uid_of(runs[1])
    text = output_of("show", path, {"uid": uid, "partial uid": uid[:8]}.get(by, by))
    assert f"uid='{uid}'" in text
    assert "plan_name='grid_scan'" in text
    assert "exit_status='success'" in text
    assert "* primary  (5 Events)" in text


def test_show_counts_indexes_from_the_newest_run(path, runs):
    assert f"uid='{uid_of(runs[0])}'" in output_of("show", path, "-3")


def test_show_tells_the_data_keys_and_the_metadata(tmp_path):
    path = tmp_path / "runs.db"
    with databroker.open(path) as catalog:
        for name, doc in simple_run(sample={"element": "Cu", "grain": 7}):
            catalog.insert(name, doc)
        catalog.insert("stop", {**doc, "uid": "the last one", "reason": "no more beam"})
    lines = [line.split() for line in output_of("show", str(path), "-1").splitlines()]
    assert ["motor", "number", "[]"] in lines
    assert ["detector", "integer", "[]"] in lines
    assert ["sample", "{'element':", "'Cu',", "'grain':", "7}"] in lines
    assert ["no", "more", "beam"] in lines


def test_show_of_an_unknown_run_is_one_line(path):
    assert error_of("show", path, "zzz").startswith("No Run has a uid that begins with 'zzz'")
    assert error_of("show", path, "99").startswith("No run with scan_id=99")
    assert error_of("show", path, "-99") == "Catalog only contains 3 runs."


def test_show_of_an_ambiguous_uid_names_them_in_one_line(tmp_path):
    path = tmp_path / "runs.db"
    with databroker.open(path) as catalog:
        for time, uid in enumerate(["abc-1", "abc-2"]):
            catalog.insert("start", {"uid": uid, "time": time})
    message = error_of("show", str(path), "abc")
    assert message == "Multiple matches to partial uid 'abc': abc-2 abc-1"


# backup


def test_backup_makes_a_copy_that_can_be_read(path, tmp_path, runs):
    target = str(tmp_path / "copy.db")
    assert output_of("backup", path, target) == f"{target} holds 3 Runs.\n"
    assert output_of("list", target) == output_of("list", path)
    with databroker.open(target) as copy:
        assert copy[1].primary.read()["detector"].values.tolist() == [0, 1, 8, 27, 64]


def test_backup_does_not_overwrite(path, tmp_path):
    target = tmp_path / "notes.txt"
    target.write_text("do not lose me")
    assert error_of("backup", path, str(target)) == f"{target} exists; back up to a new file."
    assert target.read_text() == "do not lose me"


def test_backup_into_a_folder_that_is_not_there_names_it(path, tmp_path):
    target = tmp_path / "nowhere" / "copy.db"
    assert str(target.parent) in error_of("backup", path, str(target))


# Called wrongly


def test_without_a_store_a_command_says_how_to_name_one():
    message = f"Error: Which STORE? Give its path first, or set {VARIABLE}."
    assert misuse_of("list") == message
    assert misuse_of("show", "-1") == message
    assert misuse_of("backup", "copy.db") == message


@pytest.mark.parametrize(
    "arguments",
    [["show", "PATH", "--limit"], ["show", "--limit", "PATH"], ["show", "PATH", "-x"],
     ["list", "PATH", "--limt"], ["list", "PATH", "-1"]],
)  # fmt: skip
def test_unknown_options_are_not_taken_for_runs_or_stores(path, arguments):
    assert "No such option" in misuse_of(*(path if text == "PATH" else text for text in arguments))


def test_too_many_arguments_are_named(path):
    assert misuse_of("list", path, "a", "b") == "Error: Got too many arguments: a b"


def test_warnings_are_lines_too(path, monkeypatch):
    import warnings

    from databroker.cli import runs
    from databroker.errors import DatabrokerWarning

    def opened_with_a_warning(store):
        warnings.warn("a copy\nis read", DatabrokerWarning, stacklevel=2)
        return databroker.open(store, mode="read")

    monkeypatch.setattr(runs, "opened", opened_with_a_warning)
    result = run_command("list", path)
    assert result.exit_code == 0
    assert result.stderr == "Warning: a copy is read\n"


@pytest.mark.parametrize("command", ["demo", "list", "show", "backup"])
def test_every_command_has_help_with_its_arguments(command):
    assert f"  {command} " in output_of("--help")
    assert f"Usage: main {command}" in output_of(command, "--help")


def test_the_version_is_that_of_the_package():
    assert output_of("--version") == f"databroker, version {databroker.__version__}\n"
