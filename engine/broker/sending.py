"""Hand a request of alpaca-py's to its connection, without what `requests` looks up anew for each.

Environment, netrc, cookies and redirects do not change between two orders and take as long as the rest of a request.
Loaded with alpaca-py, which brings `requests`.
"""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict


class Sending(requests.Session):
    """To one address. Proxies and certificates are those of the environment at its making; `trust_env` false: none."""

    def __init__(self, address: str, timeout: tuple[float, float], *, trust_env: bool) -> None:
        """`timeout` in seconds, to connect and between two pieces of an answer."""
        super().__init__()
        self.trust_env = trust_env
        self._timeout = timeout
        self._settings: dict[str, Any] = dict(self.merge_environment_settings(address, {}, False, None, None))
        self._adapter = self.get_adapter(address)
        assert isinstance(self._adapter, HTTPAdapter)

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        allow_redirects: bool,
        params: Any = None,
        json: Any = None,
    ) -> requests.Response:
        """What alpaca-py asks for, and no more: it never follows a redirect. Raises what `requests` raises."""
        prepared = requests.PreparedRequest()
        prepared.prepare_method(method)
        prepared.prepare_url(url, params)
        prepared.headers = CaseInsensitiveDict({**self.headers, **headers})
        prepared.hooks = default_hooks()
        prepared.prepare_body(None, None, json)
        response = self._adapter.send(prepared, timeout=self._timeout, **self._settings)
        _ = response.content  # here, so that a connection that breaks in between is the request's error
        return response
