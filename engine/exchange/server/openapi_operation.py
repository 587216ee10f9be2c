"""One operation of the OpenAPI document: a method of a path, what it takes and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from engine.exchange.server.asked import CRYPTO
from engine.exchange.server.openapi_schemas import TEXT, UUID, Schema, ref, words


class Operation:
    """One method of one path. `answer` is the schema of the success, None where it has no body."""

    def __init__(
        self,
        method: str,
        path: str,
        summary: str,
        answer: Schema | None,
        *,
        query: Schema | None = None,
        needs: Iterable[str] = (),
        body: str = "",
        status: int = 200,
    ) -> None:
        self.method = method
        self.path = path
        self._summary = summary
        self._answer = answer
        self._query = query or {}
        self._needs = frozenset(needs)
        self._body = body
        self._status = status if answer is not None else 204

    def shown(self, symbols: list[str]) -> dict[str, Any]:
        success: dict[str, Any] = {"description": "done"}
        if self._answer is not None:
            success["content"] = _json(self._answer)
        shown = {
            "summary": self._summary,
            "operationId": f"{self.method} {self.path}",
            "parameters": [*self._in_path(symbols), *self._in_query()],
            "responses": {
                str(self._status): success,
                "default": {"description": "refused, and nothing has changed", "content": _json(ref("Error"))},
            },
        }
        if self._body:
            shown["requestBody"] = {"required": True, "content": _json(ref(self._body))}
        if self.path.startswith((CRYPTO, "/paddock/")):
            shown["security"] = []
        return shown

    def _in_path(self, symbols: list[str]) -> Iterator[dict[str, Any]]:
        known = {
            "symbol": {"type": "string", "enum": symbols},
            "order_id": UUID,
            "list_id": UUID,
            "action_id": UUID,
            "contract": TEXT,
            "market": words("stocks", "crypto"),
            "ticktype": words("trade", "quote"),
            "kind": words("FILL", "DIV", "FEE", "CFEE", "SPLIT", "TRANS"),
            "number": {"type": "integer", "minimum": 1},
        }
        for name, schema in known.items():
            if f"{{{name}}}" in self.path:
                yield {"name": name, "in": "path", "required": True, "schema": schema}

    def _in_query(self) -> Iterator[dict[str, Any]]:
        for name, schema in self._query.items():
            yield {"name": name, "in": "query", "required": name in self._needs, "schema": schema}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
