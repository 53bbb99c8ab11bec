"""How findings are shown: to people with the line that is meant, to machines as JSON or SARIF 2.1.0."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import quote

from flows_dsl.findings import Finding
from orderloom.domain.model import JsonObject

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
WIDE = 120
"""Characters of a line of a flow that are shown."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A file, its text, and what is wrong with it."""

    file: str
    text: str
    findings: tuple[Finding, ...]


def as_text(checked: Sequence[Checked]) -> str:
    """Return each finding in one line that editors can jump to, above the line of the flow with a mark."""
    return "\n".join(line for it in checked for finding in it.findings for line in _lines(it, finding))


def _lines(checked: Checked, finding: Finding) -> Iterator[str]:
    yield f"{checked.file}:{finding}"
    lines = checked.text.splitlines()
    if not 0 < finding.line <= len(lines):
        return
    number, line = str(finding.line), lines[finding.line - 1]
    start = max(0, finding.column - WIDE)
    shown = "".join(it if it.isprintable() else " " for it in line[start : start + WIDE])
    yield f"  {number} | {shown}"
    yield f"  {' ' * len(number)} | {' ' * (finding.column - 1 - start)}^"


def as_json(checked: Sequence[Checked]) -> str:
    """Return all findings as one JSON array."""
    found = [{"file": it.file, **finding.model_dump()} for it in checked for finding in it.findings]
    return json.dumps(found, indent=2, ensure_ascii=False)


def as_sarif(checked: Sequence[Checked]) -> str:
    """Return all findings as one run of a SARIF 2.1.0 log."""
    found = [(it.file, finding) for it in checked for finding in it.findings]
    codes = sorted({finding.code for _, finding in found})
    driver = {
        "name": "orderloom flows check",
        "version": version("orderloom"),
        "rules": [{"id": code} for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(file, finding, codes.index(finding.code)) for file, finding in found],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _result(file: str, finding: Finding, rule: int) -> JsonObject:
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity,
        "message": {"text": f"{finding.message} {finding.remedy}".rstrip()},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(file)},
                    "region": {"startLine": finding.line, "startColumn": finding.column},
                },
                "logicalLocations": [{"fullyQualifiedName": finding.pointer}],
            }
        ],
    }
