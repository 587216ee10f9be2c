"""A lake in an S3 bucket: Amazon's, MinIO's, or another that speaks the same protocol. Needs the extra `s3`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.domain.errors import ConfigurationError, CredentialsError, UnavailableError
from engine.storage.lake.address import SCHEME, LakeAddress

CONNECT, READ = 5, 30
"""Seconds a server may take."""
DENIED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
ABSENT = {"404", "NoSuchKey"}


class S3Bucket:
    """A put of S3 is atomic, so there is nothing to tidy up after one that was cut off."""

    def __init__(self, address: LakeAddress) -> None:
        """Raises ConfigurationError when boto3 is missing or the address cannot be one."""
        bucket, _, prefix = address.url.removeprefix(SCHEME).partition("/")
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._where = address.endpoint or "Amazon S3"
        self._client = _client(address)

    def read(self, name: str) -> bytes | None:
        with self._errors(name):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
                return bytes(answer["Body"].read())
            except self._client.exceptions.ClientError as error:
                if _code(error) in ABSENT:
                    return None
                raise

    def write(self, name: str, content: bytes) -> None:
        with self._errors(name):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content)

    def names(self, prefix: str) -> Iterator[str]:
        with self._errors(prefix):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for item in page.get("Contents", ()):
                    yield item["Key"].removeprefix(self._prefix)

    def details(self) -> Iterator[tuple[str, int, str, int]]:
        """Name, bytes, entity tag and time of the last change (int nanoseconds UTC) of each object, in order."""
        with self._errors(""):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for item in page.get("Contents", ()):
                    name, at = item["Key"].removeprefix(self._prefix), round(item["LastModified"].timestamp() * 1e9)
                    yield name, item["Size"], item["ETag"].strip('"'), at

    def delete(self, name: str) -> None:
        with self._errors(name):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    def sweep(self) -> int:
        """A bucket has whole objects only."""
        return 0

    def place(self, name: str) -> str:
        return f"{SCHEME}{self._bucket}/{self._prefix}{name}"

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise self._refused(name, _code(error)) from error
        except BotoCoreError as error:
            raise UnavailableError(
                f"The lake at {self._where} cannot be reached: {error}.", "Check the network and [lake] endpoint."
            ) from error

    def _refused(self, name: str, code: str) -> CredentialsError | UnavailableError | ConfigurationError:
        if code in DENIED:
            return CredentialsError(
                f"{self._where} refused {self.place(name)} ({code}).", "Check [lake] key and secret, and their rights."
            )
        if code == "NoSuchBucket":
            return ConfigurationError(
                f"{self._where} has no bucket {self._bucket}.", "Create it, or change [lake] url."
            )
        return UnavailableError(f"{self._where} failed on {self.place(name)} ({code}).", "Try again later.")


def _client(address: LakeAddress) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise ConfigurationError(
            f"A lake at {address.url} needs the package boto3.", "Install it: pip install 'paddock[s3]'"
        ) from None
    try:
        return boto3.client(
            "s3",
            endpoint_url=address.endpoint or None,
            region_name=address.region or "us-east-1",
            aws_access_key_id=address.key or None,
            aws_secret_access_key=address.secret or None,
            config=Config(connect_timeout=CONNECT, read_timeout=READ, retries={"max_attempts": 3, "mode": "standard"}),
        )
    except ValueError as error:
        raise ConfigurationError(f"The lake's address cannot be used: {error}.", "Correct [lake] endpoint.") from None


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
