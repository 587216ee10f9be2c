"""Whether anything may be traded at all now: trading state, account, environment, market."""

from __future__ import annotations

from engine.domain.events import TradingState
from engine.domain.market import is_crypto
from engine.risk.case import Case
from engine.risk.rules.base import Refusal


def trading_state(case: Case) -> Refusal | None:
    context = case.context
    if context.emergency or context.trading_state is TradingState.ACTIVE:
        return None
    if context.trading_state is TradingState.HALTED:
        return Refusal(
            "Trading is halted: only cancels pass.", "Activate trading in the Trade menu when the reason is gone."
        )
    if case.reduces:
        return None
    return Refusal(
        "Trading is reducing: only orders that shrink a position pass.", "Activate trading in the Trade menu first."
    )


def live_account(case: Case) -> Refusal | None:
    if not case.context.mismatch:
        return None
    return Refusal(case.context.mismatch, "Put the keys under the account they belong to; see `paddock config show`.")


def account_usable(case: Case) -> Refusal | None:
    account = case.context.account
    if account is None:
        # What the emergency stop closes must not wait for an answer that may never come.
        return None if case.context.emergency else Refusal("The account is not known yet.", "Wait for the broker.")
    if account.account_blocked:
        return Refusal("The venue has blocked this account.", "Ask the venue why.")
    if account.trading_blocked:
        return Refusal("The venue has blocked trading in this account.", "Ask the venue why.")
    if account.suspended_by_user:
        return Refusal("Trading is suspended in the account's own settings.", "Switch it on again at the venue.")
    return None


def account_active(case: Case) -> Refusal | None:
    account = case.context.account
    if account is not None and account.status == "ACTIVE":
        return None
    said = "not known" if account is None else account.status
    return Refusal(f"The account's status is {said}; only an ACTIVE one may trade.", "Ask the venue why.")


def market_open(case: Case) -> Refusal | None:
    context = case.context
    if is_crypto(case.request.symbol) or context.market_open:
        return None
    if context.market_open is None:
        return (
            None
            if context.emergency
            else Refusal("Whether the market is open is not known yet.", "Wait for the broker to answer.")
        )
    if case.request.extended_hours and context.extended_open:
        return None
    return Refusal("The market is closed.", "Orders pass when it opens.")


def reconciled(case: Case) -> Refusal | None:
    if case.context.ready:
        return None
    return Refusal("The venue's orders and positions are being read.", "Try again in a moment.")
