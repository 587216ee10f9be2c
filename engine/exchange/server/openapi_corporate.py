"""Corporate actions and option contracts in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator

from engine.exchange.server import openapi_schemas as shapes
from engine.exchange.server.openapi_operation import Operation
from engine.exchange.server.openapi_schemas import DAY, TEXT, listed, maybe, ref, words


def corporate_operations() -> Iterator[Operation]:
    one = "/v2/corporate_actions/announcements/{action_id}"
    types = {"ca_types": words("dividend", "split", "merger", "spinoff"), "since": DAY, "until": DAY}
    dates = words("declaration_date", "ex_date", "record_date", "payable_date")
    filters = {**types, "symbol": TEXT, "date_type": dates}
    found = ref("Announcement")
    yield Operation(
        "get", one.rpartition("/")[0], "List announcements", listed(found), query=filters, needs=["ca_types"]
    )
    yield Operation("get", one, "Show an announcement", found)
    pages = {"symbols": TEXT, "start": DAY, "end": DAY, "limit": {"type": "integer", "minimum": 1, "maximum": 1000}}
    grouped = shapes.record({"corporate_actions": {"type": "object"}, "next_page_token": maybe(TEXT)})
    yield Operation("get", "/v1/corporate-actions", "List corporate actions by type", grouped, query=pages)
    scheduled = "/paddock/corporate-actions"
    yield Operation("get", scheduled, "List what is scheduled and what has been", listed(ref("CorporateAction")))
    yield Operation(
        "post", scheduled, "Schedule a split or a dividend", ref("CorporateAction"), body="CorporateActionRequest"
    )


def contract_operations() -> Iterator[Operation]:
    contracts = shapes.record({"option_contracts": listed({"type": "object"}), "next_page_token": maybe(TEXT)})
    yield Operation("get", "/v2/options/contracts", "List option contracts: there are none", contracts)
    yield Operation("get", "/v2/options/contracts/{contract}", "Show an option contract", {"type": "object"})
    yield Operation("post", "/v2/positions/{symbol}/exercise", "Exercise an option contract", None)
