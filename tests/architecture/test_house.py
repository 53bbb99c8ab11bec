"""The house rules that a machine can hold."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("orderloom", "workflows", "activities", "flows_dsl", "worker", "api")


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def _modules() -> list[Path]:
    return [path for path in _tracked() if path.suffix == ".py"]


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_module_is_longer_than_400_lines() -> None:
    """A module that needs more than 400 lines holds two things."""
    lengths = {_shown(path): len(path.read_text().splitlines()) for path in _modules()}

    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def _undocumented(tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree):
        yield "the module"
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield node.name
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if (
                    isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
                    and not member.name.startswith("_")
                    and not ast.get_docstring(member)
                ):
                    yield f"{node.name}.{member.name}"


@pytest.mark.parametrize("room", ROOMS)
def test_everything_public_says_what_it_promises(room: str) -> None:
    """Every public module, class and function of a room has a docstring."""
    silent = {
        _shown(path): missing
        for path in _modules()
        if path.is_relative_to(ROOT / room) and "migrations/versions" not in str(path)
        if (missing := list(_undocumented(ast.parse(path.read_text()))))
    }

    assert silent == {}


def test_tests_state_their_claim() -> None:
    """Every test function has a docstring that says what it shows."""
    silent = {
        f"{_shown(path)}::{node.name}"
        for path in _modules()
        if path.is_relative_to(ROOT / "tests")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    }

    assert silent == set()


def test_nothing_sleeps_to_wait_for_something() -> None:
    """Tests wait for conditions or move virtual time; a sleep hides a race and costs time."""
    sleeping = {
        f"{_shown(path)}:{node.lineno}"
        for path in _modules()
        if path.is_relative_to(ROOT / "tests")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    }

    assert sleeping == set()
