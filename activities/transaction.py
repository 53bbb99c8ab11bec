"""
Opens, numbers and closes the transaction of an activity on one order.

Row locks are taken in one order: the order's row first, stock after it. The last statement writes the journal, the
outbox, the order's row and the idempotency row together, so that either all of it happened or nothing.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from activities import intents
from activities.closing import close
from activities.header import read_header
from activities.locking import lock
from activities.unit import OrderRow, Services, Unit
from orderloom.contracts.actions import ActionContract
from orderloom.contracts.messages import ActionDone, Applied, Context, Event, ReleasePin, RunAction, SettleAction
from orderloom.contracts.outside import GatewayRequest
from orderloom.domain.errors import FieldProblem, InvalidInput, NotFound, OrderloomError
from orderloom.domain.model import Frozen, JsonObject
from orderloom.persistence.flow_bodies import read_bodies
from orderloom.persistence.journal import read_events

type Implementation[I: Frozen, O: Frozen] = Callable[[Unit, I], Awaitable[O]]
"""Carries out an action."""

type Preparation[I: Frozen, O: Frozen] = Callable[[Unit, I], Awaitable[list[GatewayRequest] | O]]
"""Writes the intents of an outside action; returns its output when nothing is to be asked."""
