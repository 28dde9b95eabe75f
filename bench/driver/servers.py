"""What is measured: how each server is started and spoken to."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from driver.processes import RIG_CORE, SERVER_CORE, Process, get
from driver.services import Postgresql

FOLDER = Path(__file__).parent.parent
PEERS = FOLDER / "peers"
HOME = Path(os.environ.get("VESTIBULE_BENCH_HOME", Path.home() / ".cache" / "vestibule-bench"))

AUDIENCE = "vestibule-bench"


@dataclass
class Place:
    """Where a server runs in this round."""

    rig: Path
    """The folder with the rig's programs."""
    vestibule: Path
    """The product's binary."""
    port: int
    upstream: int
    """The port of the fake upstream."""
    folder: Path
    """An empty folder for its files."""
    database: str | None = None
    """The address of its PostgreSQL; SQLite when there is none."""
    redis: str | None = None

    @property
    def model_url(self) -> str:
        return f"http://127.0.0.1:{self.upstream}/v1"


@dataclass
class Start:
    """A command line and what goes with it."""

    command: list
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None


def completion(model: str) -> str:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": True})


def create_thread(model: str) -> str:
    content = [{"type": "input_text", "text": "hello"}]
    options = {"model": model}
    message = {"content": content, "attachments": [], "quoted_text": None, "inference_options": options}
    return json.dumps({"type": "threads.create", "params": {"input": message}})


@dataclass
class Server:
    """One row of the table."""

    name: str
    what: str
    start: Callable[[Place], Start] | None
    """None: the load goes to the upstream itself."""
    path: str
    format: str
    """What `load` must expect: `chunks` or `chatkit`."""
    identity: bool = False
    """Whether each request carries a signed token, which the server checks."""
    on_postgresql: bool = False
    """Whether it gets a PostgreSQL of its own. It runs on the rig's core: the server keeps its own for itself."""

    def body(self, model: str) -> str:
        return create_thread(model) if self.format == "chatkit" else completion(model)

    def run(self, place: Place, prefix=()) -> Process:
        """Starts it; `prefix` is put before the command, for example valgrind."""
        beside = {}
        try:
            if self.on_postgresql:
                beside["postgresql"] = Postgresql(RIG_CORE)
                place = replace(place, database=beside["postgresql"].url)
            process = self.begin(place, prefix)
        except BaseException:
            for service in beside.values():
                service.stop()
            raise
        process.beside = beside
        return process

    def begin(self, place: Place, prefix=(), core: int | str = SERVER_CORE) -> Process:
        """Starts it alone, over whatever `place` names."""
        start = self.start(place)
        environment = {"UPSTREAM": place.model_url, "PORT": str(place.port), **start.environment}
        log = place.folder / f"{self.name}.log"
        return Process([*prefix, *start.command], core, log, environment, start.folder)

    def bearer(self, place: Place) -> str | None:
        return token(place) if self.identity else None


def token(place: Place) -> str:
    """A user's token, valid for an hour."""
    return get(place.upstream, f"/token?subject=user-1&audience={AUDIENCE}")


def tokens(place: Place, name: str, count: int, of: str | None = None) -> Path:
    """A file with as many tokens of different users, one a line, that nobody has sent yet; `of` is their kind, where
    it is not the file's name."""
    file = place.folder / f"{name}.tokens"
    file.write_text(get(place.upstream, f"/tokens?kind={of or name}&count={count}&audience={AUDIENCE}"))
    return file


def tcp_relay(place: Place) -> Start:
    upstream = f"127.0.0.1:{place.upstream}"
    return Start([place.rig / "tcp_relay", "--port", place.port, "--upstream", upstream])


def limit_relay(place: Place) -> Start:
    database = place.folder / "limit.db"
    command = [place.rig / "limit_relay", "--port", place.port, "--upstream", place.model_url]
    return Start([*command, "--database", database])


def nginx(place: Place) -> Start:
    text = (PEERS / "nginx.conf.template").read_text()
    values = {
        "FOLDER": place.folder,
        "PORT": place.port,
        "UPSTREAM": f"127.0.0.1:{place.upstream}",
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    file = place.folder / "nginx.conf"
    file.write_text(text)
    return Start(["nginx", "-c", file])


def uvicorn(place: Place, app: str, environment: dict[str, str]) -> Start:
    command = [HOME / "python/bin/uvicorn", app, "--host", "127.0.0.1", "--port", place.port]
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return Start([*command, *options, "--backlog", "4096"], environment, PEERS / "python")


def chatkit_python(client: str, database: bool, waits: bool = True) -> Callable[[Place], Start]:
    """`waits`: whether a commit waits for PostgreSQL's disk."""

    def start(place: Place) -> Start:
        environment = {"CLIENT": client}
        if database:
            environment["DATABASE"] = place.database or str(place.folder / "chatkit.db")
            environment["SYNCHRONOUS_COMMIT"] = "on" if waits else "off"
        return uvicorn(place, "chatkit_server:app", environment)

    return start


def fastapi(place: Place) -> Start:
    return uvicorn(place, "fastapi_relay:app", {})


def fastapi_auth(place: Place) -> Start:
    issuer = f"http://127.0.0.1:{place.upstream}"
    return uvicorn(place, "fastapi_auth:app", {"ISSUER": issuer, "AUDIENCE": AUDIENCE})


def chatkit_node(place: Place) -> Start:
    command = ["node", PEERS / "node/chatkit_server.mjs"]
    return Start(command, {"MODULES": str(HOME / "node"), "LOG_LEVEL": "error"})


def vestibule(durability: str) -> Callable[[Place], Start]:
    """The product as it is run: a database, identity by JWKS, one workflow on the fake model."""

    def start(place: Place) -> Start:
        config = place.folder / "vestibule.toml"
        text = (FOLDER / "vestibule.toml.template").read_text()
        values = {"UPSTREAM": place.upstream, "AUDIENCE": AUDIENCE, "DURABILITY": durability}
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        config.write_text(text)
        command = [place.vestibule, "serve", "--config", config, "--listen", f"127.0.0.1:{place.port}"]
        environment = {"DATABASE_URL": place.database or f"sqlite://{place.folder / 'vestibule.db'}"}
        if place.redis:
            environment["REDIS_URL"] = place.redis
        return Start(command, environment, place.folder)

    return start


CHUNKS = ("/v1/chat/completions", "chunks")
CHATKIT = ("/chatkit", "chatkit")
API = ("/api/chat", "chatkit", True)

SERVERS = {
    server.name: server
    for server in (
        Server("direct", "the upstream itself", None, *CHUNKS),
        Server("tcp", "bytes from socket to socket (tokio)", tcp_relay, *CHUNKS),
        Server("nginx", "nginx, proxy_buffering off", nginx, *CHUNKS),
        Server("limit", "the limit line: axum, ChatKit events, SQLite", limit_relay, *CHATKIT),
        Server("vestibule", "the product: identity, SQLite", vestibule("process"), *API),
        Server("node", "chatkit-node-backend-sdk, memory", chatkit_node, *CHATKIT),
        Server("fastapi", "FastAPI relay of lines with httpx", fastapi, "/api/chat", "chunks"),
        Server("fastapi-auth", "FastAPI with PyJWT", fastapi_auth, "/api/chat", "chunks"),
        Server("python-tuned", "openai-chatkit over httpx, memory", chatkit_python("httpx", False), *CHATKIT),
        Server("python", "openai-chatkit as documented, memory", chatkit_python("openai", False), *CHATKIT),
        Server("python-sqlite", "openai-chatkit as documented, SQLite", chatkit_python("openai", True), *CHATKIT),
        Server("python-tuned-sqlite", "openai-chatkit over httpx, SQLite", chatkit_python("httpx", True), *CHATKIT),
        Server("vestibule-postgresql", "the product over PostgreSQL", vestibule("power"), *API, True),
        Server(
            "python-postgresql",
            "openai-chatkit as documented, PostgreSQL",
            chatkit_python("openai", True),
            *CHATKIT,
            on_postgresql=True,
        ),
        Server(
            "vestibule-postgresql-process",
            "the same; a commit does not wait for the disk",
            vestibule("process"),
            *API,
            True,
        ),
        Server(
            "python-postgresql-process",
            "the same; a commit does not wait for the disk",
            chatkit_python("openai", True, waits=False),
            *CHATKIT,
            on_postgresql=True,
        ),
        Server("vestibule-nodes", "the product on PostgreSQL and Redis, as the scenario starts it", None, *API),
    )
}
