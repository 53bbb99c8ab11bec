"""What the HTTP interface itself refuses, before anything is accepted. Each error tells its remedy."""

from orderloom.domain.errors import NotFound, OrderloomError


class BodyTooLarge(OrderloomError):
    """The body of the request is too large.

    Send at most the number of bytes that the facts name; split the work over several requests.
    """

    code = "body.too_large"
    status = 413


class MalformedJson(OrderloomError):
    """The body is not JSON that means one thing only.

    Send UTF-8 JSON (RFC 8259): every name once per object, no NaN or Infinity, no NUL character or half of a
    surrogate pair in a text.
    """

    code = "json.malformed"
    status = 400


class MediaTypeUnsupported(OrderloomError):
    """The body is of a kind that is not read here.

    Send JSON with the header ``Content-Type: application/json``.
    """

    code = "media_type.unsupported"
    status = 415


class IdempotencyKeyRequired(OrderloomError):
    """The header Idempotency-Key is missing or not usable.

    Send a key of 1 to 200 printable ASCII characters that is new for each change you want, and the same key when
    you repeat a request whose answer you did not get.
    """

    code = "idempotency.key_required"
    status = 400


class ReservationIdUnusable(OrderloomError):
    """The idempotency key cannot be the id of a reservation.

    Send a key of letters, digits and ``._:/-``, at most 100 characters, that begins with a letter or a digit.
    """

    code = "reservation.id_unusable"
    status = 422


class PathUnknown(NotFound):
    """There is no resource at this path.

    See the paths in ``/openapi.json``.
    """

    code = "path.unknown"


class MethodNotAllowed(OrderloomError):
    """The resource does not know this method.

    Use one of the methods in the header ``Allow``.
    """

    code = "method.not_allowed"
    status = 405


class OrderUnknown(NotFound):
    """There is no order with this id.

    Check the id; an order that is not accepted yet is found by its intake resource.
    """

    code = "order.unknown"


class RoutingAttemptUnknown(NotFound):
    """The order has no routing attempt with this number.

    List its attempts; while it waits for its first one there are none.
    """

    code = "routing_attempt.unknown"


class FulfillmentOrderUnknown(NotFound):
    """There is no fulfillment order with this id.

    Check the id, such as ``100001-F1``.
    """

    code = "fulfillment_order.unknown"


class LocationUnknown(NotFound):
    """There is no location with this id.

    Check the id, or add the location with ``orderloom world load``.
    """

    code = "location.unknown"


class IntakeUnknown(NotFound):
    """Nothing with this id was ever taken in.

    Check the id that an answer with status 202 gave.
    """

    code = "intake.unknown"


class IntentUnknown(NotFound):
    """No payment intent has this id at this gateway.

    Send the idempotency key that the gateway was given with the request.
    """

    code = "payment_intent.unknown"


class ChannelUnknown(OrderloomError):
    """There is no such channel, or no flows are in force for it.

    Use the id of a channel that is set up, and publish a release for it.
    """

    code = "channel.unknown"
    status = 422


class SkuUnknown(OrderloomError):
    """A SKU is not in the catalog, or is no longer sold.

    Correct the SKU of the lines that are named, or add the products first; nothing was ordered.
    """

    code = "catalog.unknown_sku"
    status = 422


class PriceMismatch(OrderloomError):
    """A unit price is not the channel's listed price.

    Send the listed price of the lines that are named; a discount is an adjustment of the line.
    """

    code = "price.mismatch"
    status = 422


class CurrencyMismatch(OrderloomError):
    """An amount is not in the currency of the order, or the order not in that of its channel.

    Send every amount in the channel's currency, which the facts name.
    """

    code = "currency.mismatch"
    status = 422


class NotReady(OrderloomError):
    """The service cannot take orders at the moment.

    Try again shortly; the facts name what does not answer.
    """

    code = "service.not_ready"
    status = 503


class Unavailable(OrderloomError):
    """The service cannot reach what it keeps its data in.

    Repeat the request with the same Idempotency-Key, or the event with the same id, until it is answered.
    """

    code = "unavailable"
    status = 503


class Unexpected(OrderloomError):
    """Something went wrong that nobody expected.

    Repeat the request with the same Idempotency-Key; if it fails again, tell the operators the time and the path.
    """

    code = "internal"
    status = 500
