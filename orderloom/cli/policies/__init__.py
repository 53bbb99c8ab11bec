"""`orderloom policies`: how orders are routed, in files that are checked, tried, published and put in force."""

from orderloom.cli.policies import publishing, shadow
from orderloom.cli.policies.app import policies_app

__all__ = ["policies_app", "publishing", "shadow"]
