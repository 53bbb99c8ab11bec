"""`orderloom flows check`, as an author uses it."""

import json
from pathlib import Path

import pytest

from flows_dsl import prebuilt
from orderloom.cli.flows.check import check


def _status(*files: Path, format: str = "human") -> int | str | None:
    with pytest.raises(SystemExit) as left:
        check(*files, format="json" if format == "json" else "human")
    return left.value.code


def test_clean_flows_say_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Flows without findings: no output, exit status 0."""
    files = [tmp_path / f"{name}.yaml" for name in prebuilt.names()]
    for file in files:
        file.write_text(prebuilt.text(file.stem))

    assert _status(*files) == 0
    assert capsys.readouterr().out == ""


def test_findings_are_told_by_file_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each finding, that editors can jump to; exit status 1."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(prebuilt.text("place-order").replace("call: create-reservation", "call: create-reservations"))

    assert _status(bad, tmp_path / "missing.yaml") == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{bad}:18:13 action.unknown There is no action 'create-reservations'. Did you mean 'create-reservation'?",
        f"{tmp_path}/missing.yaml:1:1 file.unreadable The file cannot be read: No such file or directory."
        " Check its name and its permissions.",
    ]


def test_findings_are_told_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Machines get every field; bytes that are no UTF-8 are a finding too."""
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"\xff\xfe")

    assert _status(bad, format="json") == 1
    [found] = json.loads(capsys.readouterr().out)
    assert (found["code"], found["line"], found["column"], found["file"]) == ("file.encoding", 1, 1, str(bad))
