"""Real servers for tests, on free ports in temporary folders: PostgreSQL, Redis, and a mock of a Kafka cluster held by kcat.

Each can be stopped, killed, paused and started again at the same address. A server that is not installed skips the
test with the reason; with PADDOCK_REQUIRE_SERVICES=1 it fails it.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.kafka_groups import followers_first

REQUIRED = os.environ.get("PADDOCK_REQUIRE_SERVICES") == "1"
LONGEST_START = 20.0
REMEDY = "install it with scripts/system-packages --servers"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def program(name: str, folders: str = "") -> str:
    """Its path; without it the test is skipped, or fails where servers are required."""
    found = sorted(Path("/").glob(f"{folders}/{name}"), reverse=True) if folders else []
    path = str(found[0]) if found else shutil.which(name)
    if path is None:
        give_up(f"{name} is not installed; {REMEDY}")
    assert path is not None
    return path


def give_up(reason: str) -> None:
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


class Server:
    """A process that listens on 127.0.0.1; `port` stays the same when it is started again."""

    port: int

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it takes connections."""
        if self.is_running():
            return
        self._process = self._spawn()
        deadline = time.monotonic() + LONGEST_START
        while not self.ready():
            if not self.is_running() or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command()[0]} did not start on port {self.port}")
            time.sleep(0.02)

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It keeps its sockets and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self.resume()
            self._process.send_signal(how)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self._process = None


class Redis(Server):
    """With an append-only file, so that a killed one comes back with what it had. With a certificate and its key it takes
    encrypted connections too, on `tls_port`.
    """

    def __init__(
        self, folder: Path, password: str = "", certificate: Path | None = None, key: Path | None = None
    ) -> None:
        super().__init__()
        self._certificate, self._key = certificate, key
        self.tls_port = 0 if certificate is None else free_port()
        self._path = program("redis-server")
        self.folder = folder
        self.port = free_port()
        self.password = password

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}" if self.password else f"redis://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        options += ["--appendonly", "yes", "--appendfsync", "no"]
        if self.tls_port:
            options += ["--tls-port", str(self.tls_port), "--tls-auth-clients", "no"]
            options += ["--tls-cert-file", str(self._certificate), "--tls-key-file", str(self._key)]
        return [self._path, *options, *(["--requirepass", self.password] if self.password else [])]

    def ready(self) -> bool:
        """A server that still loads its file takes connections and refuses commands."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


class Kafka(Server):
    """The mock cluster inside librdkafka, held by a kcat that waits for its input; `kcat -M` is not in every build.

    It keeps nothing in files, and one that is started again listens on a new port.
    """

    def __init__(self) -> None:
        super().__init__()
        self._path = program("kcat")
        self.port = 0

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [self._path, "-P", "-t", "unused", "-b", "unused", "-X", "test.mock.num.brokers=1"]

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.port = 0
        silent = subprocess.DEVNULL
        return subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=silent, stderr=silent)

    def ready(self) -> bool:
        listening = (c for c in psutil.Process(self.pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        self.port = next((c.laddr.port for c in listening), 0)
        return self.port != 0

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        super()._end(how)
        if process is not None and process.stdin is not None:
            process.stdin.close()


class Postgres(Server):
    """One cluster with a password; each test takes a fresh database of it. As root it runs as the user postgres."""

    USER, PASSWORD = "paddock", "s3cret-of-test"

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        super().__init__()
        self._binaries = Path(program("postgres", "usr/lib/postgresql/*/bin")).parent
        self._folder = folder / "cluster"
        self._owner = _owner()
        self._durable = durable
        self._numbers = itertools.count(1)
        self.port = free_port()
        self._initialise(folder)

    def _initialise(self, folder: Path) -> None:
        secret = folder / "password"
        secret.write_text(self.PASSWORD)
        if self._owner:
            for path in (folder, secret):
                shutil.chown(path, self._owner)
        options = ["-D", str(self._folder), "-U", self.USER, f"--pwfile={secret}", "-A", "scram-sha-256", "--no-sync"]
        command = [str(self._binaries / "initdb"), *options, "-E", "UTF8", "--locale=C"]
        subprocess.run(command, user=self._owner, check=True, capture_output=True, cwd="/")

    def command(self) -> list[str]:
        careless = [] if self._durable else ["-c", "fsync=off", "-c", "full_page_writes=off"]
        where = ["-p", str(self.port), "-h", "127.0.0.1", "-k", "", *careless]
        return [str(self._binaries / "postgres"), "-D", str(self._folder), *where]

    def _spawn(self) -> subprocess.Popen[bytes]:
        with (self._folder.parent / "log").open("ab") as log:
            return subprocess.Popen(self.command(), user=self._owner, cwd="/", stdout=log, stderr=log)

    def stop(self) -> None:
        """Fast: open transactions are rolled back, clients are cut off."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """The postmaster's children see that it is gone and end by themselves."""
        super().kill()
        (self._folder / "postmaster.pid").unlink(missing_ok=True)

    def ready(self) -> bool:
        return self._run("pg_isready").returncode == 0

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{self.USER}:{self.PASSWORD}@127.0.0.1:{self.port}/{database}"

    def fresh_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        self._run("psql", "-qc", f"CREATE DATABASE {name}", check=True)
        return self.url(name)

    def query(self, url: str, statement: str) -> list[str]:
        """The rows of the answer, columns joined by |."""
        found = self._run("psql", "-qAtc", statement, "-d", url, check=True)
        return found.stdout.decode().splitlines()

    def _run(self, name: str, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[bytes]:
        database = [] if "-d" in arguments else ["-d", "postgres"]
        where = [] if "-d" in arguments else ["-h", "127.0.0.1", "-p", str(self.port), "-U", self.USER]
        command = [str(self._binaries / name), *where, *database, *arguments]
        environment = os.environ | {"PGPASSWORD": self.PASSWORD}
        return subprocess.run(command, env=environment, capture_output=True, check=check, timeout=30)


def _owner() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        give_up("PostgreSQL does not run as root and there is no user postgres")
    return None


def _folder() -> Path:
    """Outside pytest's own, which only its user may enter."""
    return Path(tempfile.mkdtemp(prefix="paddock-service-"))


def _served(server: Server, folder: Path | None) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.kill()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Redis]:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = Redis(folder)
    for _ in _served(server, None):
        yield server


@pytest.fixture
def kafka_cluster() -> Iterator[Kafka]:
    server = Kafka()
    with followers_first():
        for _ in _served(server, None):
            yield server


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Postgres]:
    folder = _folder()
    server = Postgres(folder)
    for _ in _served(server, folder):
        yield server


@pytest.fixture
def postgres(postgres_cluster: Postgres) -> Postgres:
    """The session's cluster, running whatever the test before did to it."""
    postgres_cluster.start()
    return postgres_cluster


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """Of an empty database for this test alone."""
    return postgres.fresh_database()
