"""What a backup is made of: the places of one installation, and what of them is wanted."""

from __future__ import annotations

import msgspec

from engine.config.load import config_path, read_file
from engine.config.public import as_file, without_secrets
from engine.config.settings import Settings
from engine.config.show import as_toml
from engine.domain.errors import ConfigurationError
from engine.installation import Installation, folder_name
from engine.storage.lake.address import LakeAddress
from engine.storage.market.address import MarketAddress, market_address


class Source(msgspec.Struct, frozen=True, kw_only=True):
    installation: Installation
    environment: str
    settings: Settings
    market: MarketAddress | None
    """None leaves it out."""
    lake: LakeAddress
    with_lake: bool = False
    """The files of the lake, where it is a folder; else only the list of them."""


def source_of(settings: Settings, *, market: bool, lake: bool) -> Source:
    """Raises ConfigurationError for a replay, which begins anew each time, and for a lake that is not in a folder."""
    name = folder_name(settings)
    if name == "replay":
        raise ConfigurationError("A replay begins anew each time.", "Back up the demo, or --paper, or --live.")
    installation = Installation(settings.data, name)
    address = LakeAddress(
        url=settings.lake.url or str(installation.lake),
        endpoint=settings.lake.endpoint,
        region=settings.lake.region,
        key=settings.lake.key,
        secret=settings.lake.secret.get_secret_value(),
    )
    if lake and address.is_bucket:
        raise ConfigurationError(
            f"The lake is at {address.url}, and only a folder can be copied into a backup.",
            "Leave the lake out: its list is saved. Let the server keep versions of the bucket.",
        )
    url = settings.market_database.url.get_secret_value()
    return Source(
        installation=installation,
        environment=name,
        settings=settings,
        market=market_address(url, installation.market_database) if market else None,
        lake=address,
        with_lake=lake,
    )


def settings_file(settings: Settings) -> str:
    """The configuration file without its secrets; empty where there is none. Raises ConfigurationError."""
    path = config_path(settings.data)
    return as_file(*without_secrets(read_file(path))) if path.is_file() else ""


def shown_settings(settings: Settings) -> str:
    """What held, whatever it came from, for a person to read; secrets are masked."""
    return as_toml(settings)
