"""The routing policy in the body of a request: as an object, or as the text of a file."""

import json
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from flows_dsl.policies import policy_from
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.routing_policy import RoutingPolicy


class PublishPolicy(Frozen):
    """A routing policy to publish: either as an object or as the text of a file."""

    policy: Annotated[JsonObject | None, Field(description="The policy itself.")] = None
    text: Annotated[
        str | None, Field(description="The policy in YAML or JSON, as its author wrote it; it is kept like that.")
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.policy is None) == (self.text is None):
            raise PydanticCustomError("policy.either", "give either policy or text")
        return self

    @property
    def written(self) -> str:
        """Return the policy's text."""
        if self.text is not None:
            return self.text
        return json.dumps(self.policy, indent=2, ensure_ascii=False) + "\n"


def policy_in(wanted: PublishPolicy) -> RoutingPolicy:
    """
    Return the policy that is to be published.

    Raises:
        PolicyRefused: something is wrong with it; everything that is, is named with its place.
    """
    return policy_from(wanted.written, None if wanted.policy is None else "/policy")
