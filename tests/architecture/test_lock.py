"""The lock file can be installed from wheels alone where the project says that it runs."""

import tomllib
from itertools import chain, takewhile
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parents[2]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text())
PYTHONS = {"py3", "py2.py3", "cp313"}


def _environment(system: str, machine: str) -> dict[str, str]:
    return {
        "sys_platform": system,
        "platform_machine": machine,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system],
        "os_name": "posix",
        "python_version": "3.13",
        "python_full_version": "3.13.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


def _needed(environment: dict[str, str]) -> list[dict[str, Any]]:
    """Return the packages that *environment* installs: the closure of the project's dependencies."""
    packages = {package["name"]: package for package in LOCK["package"]}
    todo = ["orderloom"]
    seen: dict[str, dict[str, Any]] = {}
    while todo:
        package = packages[todo.pop()]
        if package["name"] in seen:
            continue
        seen[package["name"]] = package
        wanted = chain(package.get("dependencies", []), *package.get("dev-dependencies", {}).values())
        todo += [
            dependency["name"]
            for dependency in wanted
            if "marker" not in dependency or Marker(dependency["marker"]).evaluate(environment)
        ]
    return [package for package in seen.values() if package["name"] != "orderloom"]


def _fits(filename: str, system: str, machine: str) -> bool:
    *_, tags = parse_wheel_filename(filename)
    for tag in tags:
        interpreter = tag.interpreter in PYTHONS or (
            tag.abi == "abi3" and int("".join(takewhile(str.isdigit, tag.interpreter[3:])) or 0) <= 13
        )
        platform = tag.platform == "any" or (
            tag.platform.endswith((f"_{machine}", "_universal2") if system == "darwin" else f"_{machine}")
            and tag.platform.startswith({"linux": ("manylinux", "linux"), "darwin": ("macosx",)}[system])
        )
        if interpreter and platform:
            return True
    return False


@pytest.mark.parametrize(
    ("system", "machine"),
    [
        pytest.param("linux", "x86_64", id="linux-x86-64"),
        pytest.param("linux", "aarch64", id="linux-arm64"),
        pytest.param("darwin", "arm64", id="macos-arm64"),
    ],
)
def test_every_package_has_a_wheel(system: str, machine: str) -> None:
    """No package of the lock has to be built from source."""
    needed = _needed(_environment(system, machine))
    without = [
        package["name"]
        for package in needed
        if not any(_fits(wheel["url"].rsplit("/", 1)[-1], system, machine) for wheel in package.get("wheels", []))
    ]

    assert without == []
    assert len(needed) > 40
