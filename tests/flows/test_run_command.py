"""`orderloom flows run`, as a person calls it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from orderloom.cli.flows import flows_app

HEAD = "document: {dsl: 1.0.3, namespace: shop, name: greet, version: 1.0.0}\nevaluate: {language: cel}\n"
GREET = f"""{HEAD}do:
  - each:
      for: {{each: name, in: input.names}}
      do: [{{greet: {{set: {{last: '${{ name }}'}}}}}}]
  - guarded:
      try: [{{no: {{raise: {{error: {{type: nope, status: 409}}}}}}}}]
      catch: {{errors: {{with: {{status: 409}}}}, do: [{{done: {{set: {{greeted: '${{ input.last }}'}}}}}}]}}
"""


@dataclass
class Ended:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


type Run = Callable[..., Ended]


@pytest.fixture(name="command")
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what calls the command with the words given."""

    def call(*words: str) -> Ended:
        try:
            flows_app(["run", *words], result_action="return_value")
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return call


@pytest.fixture
def greet(tmp_path: Path) -> Path:
    """Return a flow in a file."""
    file = tmp_path / "greet.yaml"
    file.write_text(GREET)
    return file


def test_stdout_holds_only_the_output(command: Run, greet: Path) -> None:
    """The output is one JSON document; without a trace nothing else is said."""
    done = command(str(greet), "--input", '{"names": ["Ann", "Bo"]}')

    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"greeted": "Bo"}, "")


def test_the_input_may_stand_in_a_file(command: Run, greet: Path, tmp_path: Path) -> None:
    """@ and the name of a file."""
    (tmp_path / "input.txt").write_text('{"names": ["Cy"]}')

    done = command(str(greet), "--input", f"@{tmp_path / 'input.txt'}")

    assert json.loads(done.stdout) == {"greeted": "Cy"}


def test_the_trace_tells_what_became_of_each_task(command: Run, greet: Path) -> None:
    """One line a task event on stderr, in order, with the task that failed and the one that was caught by."""
    done = command(str(greet), "--input", '{"names": ["Ann"]}', "--trace")

    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(it["task"], it["event"]) for it in told] == [
        ("each", "started"), ("greet", "started"), ("greet", "completed"), ("each", "completed"),
        ("guarded", "started"), ("no", "started"), ("no", "faulted"), ("done", "started"), ("done", "completed"),
        ("guarded", "completed"),
    ]  # fmt: skip
    assert json.loads(done.stdout) == {"greeted": "Ann"}


@pytest.mark.parametrize(
    ("body", "type"),
    [
        ("  - it: {raise: {error: {type: broken, status: 500}}}\n", "urn:orderloom:broken"),
        ("  - it: {set: {n: '${ input.nope }'}}\n", "https://serverlessworkflow.io/spec/1.0.0/errors/expression"),
        ("  - it: {call: create-reservation}\n", "urn:orderloom:flow.needs_order"),
        ("  - it: {listen: {to: {one: {with: {type: a}}}}, timeout: {after: PT0.01S}}\n",
         "https://serverlessworkflow.io/spec/1.0.0/errors/timeout"),
        ("  - it: {sett: {}}\n", "urn:orderloom:flow.refused"),
    ],
)  # fmt: skip
def test_an_error_is_the_last_line_of_stderr(command: Run, body: str, type: str, tmp_path: Path) -> None:
    """Problem details as JSON, exit status 1, and nothing on stdout."""
    file = tmp_path / "flow.yaml"
    file.write_text(f"{HEAD}do:\n{body}")

    done = command(str(file))

    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(done.stderr.splitlines()[-1])["type"] == type


@pytest.mark.parametrize("words", [["nowhere.yaml"], ["FILE", "--input", "{"], ["FILE", "--input", "@nowhere"]])
def test_what_cannot_be_read_is_told_in_the_same_way(command: Run, words: list[str], greet: Path) -> None:
    """A file that is not there, and an input that is no JSON."""
    done = command(*[str(greet) if word == "FILE" else word for word in words])

    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(done.stderr.splitlines()[-1])["status"] == 422


def test_events_come_from_a_file_and_flows_from_the_directory(command: Run, tmp_path: Path) -> None:
    """A flow that runs another one, which hears two of three events; what it emits is heard too."""
    outer, inner, events = (tmp_path / name for name in ("outer.yaml", "inner.yaml", "events.ndjson"))
    outer.write_text(f"{HEAD}do: [{{it: {{run: {{workflow: {{namespace: shop, name: inner}}}}}}}}]\n")
    inner.write_text(
        HEAD.replace("greet", "inner")
        + "do:\n  - tell: {emit: {event: {with: {type: c, data: {n: 3}}}}}\n"
        + "  - hear: {listen: {to: {all: [{with: {type: a}}, {with: {type: c}}]}}, timeout: {after: PT5S}}\n"
    )
    events.write_text('{"type": "b"}\n\n{"type": "a", "data": {"n": 1}}\n')

    done = command(str(outer), "--events", str(events))

    assert (done.returncode, json.loads(done.stdout)) == (0, [{"n": 1}, {"n": 3}])


def test_a_call_reaches_only_hosts_that_are_named(command: Run, tmp_path: Path) -> None:
    """Without `--allow` the call is refused before it is made; with it, only that host is tried."""
    file = tmp_path / "call.yaml"
    file.write_text(f"{HEAD}do: [{{a: {{call: http, with: {{method: get, endpoint: 'http://shop.invalid/'}}}}}}]\n")

    refused, tried = command(str(file)), command(str(file), "--allow", "shop.invalid")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert json.loads(refused.stderr.splitlines()[-1])["code"] == "http.not_allowed"
    assert json.loads(tried.stderr.splitlines()[-1])["code"] == "communication"
