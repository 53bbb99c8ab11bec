"""
Prints ``docs/reference/prebuilt-flows.md``: the flows that ship, each with its picture.

``python -m orderloom.prebuilt_reference > docs/reference/prebuilt-flows.md`` writes it anew; a test compares.
"""

import sys

from flows_dsl import prebuilt
from flows_dsl.diagram import diagram
from flows_dsl.mermaid import mermaid

_HEAD = """# Prebuilt flows

<!-- Printed by `python -m orderloom.prebuilt_reference`: change the flows, not this file. -->

The flows that ship, as `orderloom flows diagram NAME` draws them: a box for each task, an arrow for each way on, dashed
after an error. What each action does is in [actions](actions.md), the language in [the flow
language](flow-language.md)."""


def reference() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_entry(name) for name in prebuilt.names()), ""])


def _entry(name: str) -> str:
    flow = prebuilt.document(name)
    force = "In force unless a channel chooses others." if name in prebuilt.DEFAULT_RELEASE else "In force if chosen."
    about = " ".join((flow.document.summary or "").split())
    return f"\n## {name}\n\n{f'{about} ' if about else ''}{force}\n\n```mermaid\n{mermaid(diagram(flow))}```"


if __name__ == "__main__":
    sys.stdout.write(reference())
