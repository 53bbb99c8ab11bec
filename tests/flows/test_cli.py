"""`orderloom flows check`, as an author uses it."""

import json
from io import StringIO
from pathlib import Path
from typing import Literal

import pytest

from flows_dsl import prebuilt
from orderloom.cli.flows.check import check


def _status(*files: Path, format: Literal["text", "json", "sarif"] = "text") -> int | str | None:
    with pytest.raises(SystemExit) as left:
        check(*files, format=format)
    return left.value.code


def test_clean_flows_say_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Flows without findings: no output, exit status 0."""
    files = [tmp_path / f"{name}.yaml" for name in prebuilt.names()]
    for file in files:
        file.write_text(prebuilt.text(file.stem))

    assert _status(*files) == 0
    assert capsys.readouterr().out == ""


def test_findings_are_told_by_file_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each finding, that editors can jump to, above the line and a mark; exit status 1."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(prebuilt.text("place-order").replace("call: create-reservation", "call: create-reservations"))

    assert _status(bad, tmp_path / "missing.yaml") == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{bad}:18:13 action.unknown There is no action 'create-reservations'. Did you mean 'create-reservation'?",
        "  18 |       call: create-reservations",
        "     |             ^",
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


def test_findings_are_told_as_sarif(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The log has the shape of SARIF 2.1.0: every result names its rule, its level, its text and its place."""
    bad = tmp_path / "a bad.yaml"
    bad.write_text(prebuilt.text("place-order").replace("call: create-reservation", "call: create-reservations"))

    assert _status(bad, format="sarif") == 1
    log = json.loads(capsys.readouterr().out)
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    [run] = log["runs"]
    assert (run["tool"]["driver"]["name"], run["columnKind"]) == ("orderloom flows check", "unicodeCodePoints")
    assert run["tool"]["driver"]["rules"] == [{"id": "action.unknown"}]
    [result] = run["results"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("action.unknown", 0, "error")
    assert result["message"] == {"text": "There is no action 'create-reservations'. Did you mean 'create-reservation'?"}
    [location] = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": f"{tmp_path}/a%20bad.yaml"},
        "region": {"startLine": 18, "startColumn": 13},
    }


def test_without_a_path_the_flows_that_ship_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """They have no finding, not even a warning; how many were checked is told beside stdout."""
    assert _status() == 0
    assert capsys.readouterr() == ("", f"{len(prebuilt.names())} flow(s) checked, 0 finding(s)\n")


def test_a_directory_means_all_flows_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At any depth; cases are no flows, and a flow may run one that stands beside it."""
    head = "document: {dsl: 1.0.3, namespace: shop, name: NAME, version: 1.0.0}\nevaluate: {language: cel}\n"
    starts = "schedule: {on: {one: {with: {type: order.placed}}}}\n"
    (tmp_path / "deep").mkdir()
    outer, inner = tmp_path / "deep" / "outer.yaml", tmp_path / "deep" / "inner.yaml"
    runs = "do: [{it: {run: {workflow: {namespace: shop, name: inner}}}}]\n"
    outer.write_text(head.replace("NAME", "outer") + starts + runs)
    inner.write_text(head.replace("NAME", "inner") + "do: [{it: {set: {}}}]\n")
    (tmp_path / "deep" / "outer.test.yaml").write_text("no flow")
    (tmp_path / "notes.txt").write_text("no flow")

    assert _status(tmp_path) == 0
    assert capsys.readouterr().err == "2 flow(s) checked, 0 finding(s)\n"
    inner.unlink()
    assert _status(tmp_path) == 1
    assert capsys.readouterr().out.startswith(f"{outer}:4:")


def test_standard_input_is_checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A dash reads a flow from standard input."""
    monkeypatch.setattr("sys.stdin", StringIO("a: ["))

    assert _status(Path("-"), format="json") == 1
    [found] = json.loads(capsys.readouterr().out)
    assert (found["file"], found["code"], found["severity"]) == ("stdin", "yaml.syntax", "error")


def test_a_warning_keeps_nothing_from_being_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told and the exit status is 0."""
    odd = tmp_path / "odd.yaml"
    odd.write_text(prebuilt.text("fulfill-reservation").replace("type: fulfillment.shipped", "type: fulfilment.shiped"))

    assert _status(odd, format="json") == 0
    assert [(it["code"], it["severity"]) for it in json.loads(capsys.readouterr().out)] == [
        ("event.unknown", "warning")
    ]


def test_the_shape_of_layers_is_checked_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A layer is no flow: what is wrong with it is told as of a layer, with its place."""
    layer = tmp_path / "ours.yaml"
    layer.write_text("layer: {name: ours, version: 1.0.0, scope: global}\nflows: {place-order: {remove: [remorse]}}\n")
    assert _status(tmp_path) == 0
    capsys.readouterr()

    layer.write_text(layer.read_text().replace("remove", "removes"))
    assert _status(tmp_path, format="json") == 1
    [found] = json.loads(capsys.readouterr().out)
    assert (found["code"], found["line"], found["file"]) == ("layer.shape", 2, str(layer))
