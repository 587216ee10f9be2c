"""The bus inside the engine: typed events to handlers, urgent ones first, in bounded slices of the event loop."""

from engine.bus.bus import Bus
from engine.bus.letters import DeadLetter, Retry, Subscription
from engine.bus.metrics import BusFigures, HandlerFigures
from engine.bus.policy import Overflow, Policy

__all__ = ["Bus", "BusFigures", "DeadLetter", "HandlerFigures", "Overflow", "Policy", "Retry", "Subscription"]
