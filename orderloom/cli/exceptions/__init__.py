"""`orderloom exceptions`: each group of commands is a module beside this one."""

from orderloom.cli.exceptions import changing, deciding
from orderloom.cli.exceptions.app import exceptions_app

__all__ = ["changing", "deciding", "exceptions_app"]
