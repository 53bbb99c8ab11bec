"""What can go wrong with breaking things."""

from orderloom.domain.errors import OrderloomError


class BlowMissed(OrderloomError):
    """A blow broke nothing, so that nothing is proved by it.

    Look at what the sentence names: something is protected by chance, or the blow no longer meets what it is for.
    """

    code = "chaos.missed"
