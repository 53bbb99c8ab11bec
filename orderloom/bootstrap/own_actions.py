"""Loads the actions that a deployment has added to those that ship."""

import sys
from importlib import import_module
from pathlib import Path

from orderloom.bootstrap.errors import StartRefused


class ActionsUnreadable(StartRefused):
    """A module that ORDERLOOM_ACTIONS names cannot be loaded.

    Install it for every process, or start them in the directory where it stands; see its own error.
    """

    code = "actions.unreadable"
    status = 500


def load_actions(modules: str | None) -> None:
    """
    Import each of *modules*, names with commas between: what they register can be called by flows from then on.

    Raises:
        ActionsUnreadable: one is not there, or fails.
    """
    names = [name.strip() for name in (modules or "").split(",") if name.strip()]
    here = str(Path.cwd())
    if names and here not in sys.path:
        sys.path.append(here)
    for name in names:
        try:
            import_module(name)
        except Exception as error:
            detail = f"{name}: {type(error).__name__}: {error}"
            raise ActionsUnreadable(f"{detail.rstrip('.')}.", module=name) from error
