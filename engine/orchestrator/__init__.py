"""TradingEngine: joins everything below it on one bus and owns its life, from start to stop."""

from engine.orchestrator.engine import TradingEngine
from engine.orchestrator.states import EngineState

__all__ = ["EngineState", "TradingEngine"]
