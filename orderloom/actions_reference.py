"""
Prints ``docs/reference/actions.md``: every core action, from its contract.

``python -m orderloom.actions_reference > docs/reference/actions.md`` writes it anew; a test compares.
"""

import sys

from orderloom.cli.actions import described, lines
from orderloom.contracts.actions import CORE_ACTIONS

_HEAD = """# Actions

<!-- Printed by `python -m orderloom.actions_reference`: change the contracts, not this file. -->

What flows may `call`, as `orderloom actions show NAME` tells it. [Add an action](../how-to/add-an-action.md) of your
own to have more."""


def reference() -> str:
    """Return the page."""
    found = sorted((described(contract) for contract in CORE_ACTIONS), key=lambda it: str(it["call"]))
    return "\n".join([_HEAD, *(f"\n## {it['call']}\n\n```text\n{'\n'.join(lines(it))}\n```" for it in found), ""])


if __name__ == "__main__":
    sys.stdout.write(reference())
