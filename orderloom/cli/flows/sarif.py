"""Findings in the Static Analysis Results Interchange Format 2.1.0, which editors and code hosts show by line."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import PurePath
from typing import cast

from flows_dsl.findings import Finding
from orderloom.domain.model import Json, JsonObject


def sarif(found: Sequence[tuple[str, Finding]]) -> JsonObject:
    """Return the log of one run that came to *found*: each rule once, each finding with its place."""
    rules: list[Json] = [{"id": code} for code in sorted({finding.code for _, finding in found})]
    driver: JsonObject = {"name": "orderloom", "version": version("orderloom"), "rules": rules}
    results: list[Json] = [_result(file, finding) for file, finding in found]
    run: JsonObject = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"version": "2.1.0", "runs": [cast("Json", run)]}


def _result(file: str, finding: Finding) -> JsonObject:
    region: JsonObject = {"startLine": finding.line, "startColumn": finding.column}
    place: JsonObject = {"artifactLocation": {"uri": PurePath(file).as_posix()}, "region": region}
    return {
        "ruleId": finding.code,
        "level": "error",
        "message": {"text": f"{finding.message} {finding.remedy}".rstrip()},
        "locations": [{"physicalLocation": place}],
    }
