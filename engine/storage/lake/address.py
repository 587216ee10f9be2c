"""Where the lake is: a folder, or a bucket of an S3 server; shown to people without the secret."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.storage.lake.lake import Lake
from engine.storage.lake.objects import LocalFolder

SCHEME = "s3://"


class LakeAddress(msgspec.Struct, frozen=True, kw_only=True):
    """`url` is a folder or s3://BUCKET/PREFIX. The rest is for S3: `endpoint` is empty for Amazon, and without a key
    Amazon's own variables and files count.
    """

    url: str
    endpoint: str = ""
    region: str = ""
    key: str = ""
    secret: str = ""

    @property
    def is_bucket(self) -> bool:
        return self.url.startswith(SCHEME)

    def __repr__(self) -> str:
        return f"LakeAddress({self.url!r})"


def open_lake(address: LakeAddress, feed: str) -> Lake:
    """Bars of different feeds, such as iex and sip, never mix: each has a folder of its own in the lake.

    Raises ConfigurationError for an address that cannot be one. Nothing is asked yet.
    """
    if not address.is_bucket:
        return Lake(LocalFolder(Path(address.url) / feed))
    # boto3 takes a third of a second to import, which only a lake in a bucket is worth.
    from engine.storage.lake.s3 import S3Bucket

    return Lake(S3Bucket(msgspec.structs.replace(address, url=f"{address.url.rstrip('/')}/{feed}")))
