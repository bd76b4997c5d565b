"""``langprog serve``: artifacts over HTTP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from langprog.artifact import HandedTools, models_in, read_artifact
from langprog.cli.loading import (
    RETRIEVER_HELP,
    ROW_METRIC_HELP,
    allowed_modules,
    keep_named,
    load_metric,
    names_handed_over,
    read_retrievers,
)
from langprog.cli.models import (
    BASE_URL_HELP,
    LM_HELP,
    MODEL_HELP,
    NamedModels,
    uses_ambient_model,
)
from langprog.cli.signals import StopSignals
from langprog.cli.terminal import Terminal
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import InputError, ModelError
from langprog.lm import Budget, LanguageModel, check_provider, price_in
from langprog.modules import Module
from langprog.runtime import LM, model_in_force, using

Option = typer.Option
KEYS_VARIABLE, ADMIN_VARIABLE = "LANGPROG_SERVE_KEYS", "LANGPROG_SERVE_ADMIN_KEYS"


def serve_artifacts(  # noqa: PLR0913 - every parameter is an option of the command
    artifacts: Annotated[
        list[str], typer.Argument(help="Artifacts, FILE or NAME=FILE; by default the file's name.")
    ],
    port: Annotated[int, Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    host: Annotated[str, Option(help="Address to listen on.")] = "127.0.0.1",
    lm: Annotated[str | None, Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, Option(help=BASE_URL_HELP)] = None,
    canary: Annotated[
        str | None,
        Option(help="[NAME=]FILE=SHARE: this artifact answers a share of the requests, 0.1 say."),
    ] = None,
    shadow: Annotated[
        str | None,
        Option(
            help="[NAME=]FILE=SHARE: both artifacts are asked about a share of the requests, and "
            "compared."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        Option(
            help=f"Scores answers that are compared, once their labels come: {ROW_METRIC_HELP}; "
            "by default exact."
        ),
    ] = None,
    judge: Annotated[
        str | None,
        Option(help="As --metric, and needs no label: scores what --shadow compares at once."),
    ] = None,
    keys: Annotated[
        str | None, Option(help=f"File with API keys, one a line; also {KEYS_VARIABLE}.")
    ] = None,
    admin_keys: Annotated[
        str | None,
        Option(help=f"File with keys for /admin; also {ADMIN_VARIABLE}. Without any: no /admin."),
    ] = None,
    concurrency: Annotated[int, Option(help="Calls of programs at the same time.", min=1)] = 64,
    queue: Annotated[int, Option(help="Requests that may wait; more: 429.", min=0)] = 256,
    seconds: Annotated[float, Option(help="Seconds for a request.", min=0.01)] = 120.0,
    body: Annotated[int, Option(help="Largest body in bytes.", min=1024)] = 16 * 2**20,
    rows: Annotated[int, Option(help="Rows of a batch.", min=1)] = 1000,
    drain: Annotated[
        float, Option(help="Seconds to finish requests when stopping.", min=0)
    ] = 30.0,
    grace: Annotated[
        float,
        Option(help="Seconds that it still answers after /readyz says that it stops.", min=0),
    ] = 0.0,
    calls: Annotated[int | None, Option(help="Cap on model calls, in all.")] = None,
    dollars: Annotated[float | None, Option(help="Cap on dollars, in all.")] = None,
    watch: Annotated[
        bool, Option(help="Serve a new artifact as soon as its file is replaced.")
    ] = True,
    trace: Annotated[bool, Option(help="Let clients see the steps of a run, ?trace=1.")] = False,
    playground: Annotated[
        bool, Option(help="A page to try the programs, /playground; with --trace, it shows steps.")
    ] = False,
    media_host: Annotated[
        list[str] | None,
        Option(help="Host whose https:// addresses are taken as images and files; repeatable."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        Option(help="Further host name of this server; without keys on this machine only."),
    ] = None,
    allow: Annotated[
        list[str] | None, Option(help="Module that may be imported for the artifacts.")
    ] = None,
    retriever: Annotated[list[str] | None, Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, Option(help=MCP_HELP)] = None,
) -> None:
    """Serve ARTIFACTS over HTTP.

    Until interrupted; the first line printed is the address. POST /programs/NAME takes the inputs
    as a JSON object; /openapi.json describes everything. On SIGHUP the files are read again. On
    Ctrl-C or SIGTERM, requests under way are answered first; a second signal stops at once.
    """
    serving = _import_serving()
    limits = serving.Limits(
        concurrency=concurrency, queue=queue, seconds=seconds, body=body, rows=rows, drain=drain
    )
    access = _access(serving, keys, admin_keys, host, allow_host)
    budget = None if calls is None and dollars is None else Budget(calls=calls, dollars=dollars)
    asked = NamedModels.of(lm, model, base_url)
    named = _name_files(artifacts)
    trials = _trials(serving, named, canary, shadow, _scoring(metric, judge))
    hosts = frozenset(name.lower() for name in media_host or ())
    terminal = Terminal(stderr=True)
    with open_tools(tool, mcp) as tools:
        modules, retrievers = allowed_modules(allow), read_retrievers(retriever or [])
        loader = ArtifactLoader(serving.Loaded, asked, modules, retrievers, tools)
        loader.needs_prices = dollars is not None

        async def run() -> None:
            services = [
                serving.Service(name, path, loader, media_hosts=hosts, trial=trials.get(name))
                for name, path in named.items()
            ]
            loader.check_all_used()
            app = serving.Application(
                services,
                limits=limits,
                access=access,
                lm=loader.ambient,
                budget=budget,
                traces=trace,
                playground=playground,
                log=lambda line: terminal.say(f"langprog: {line}"),
            )
            server = serving.ProgramServer(app, host=host, port=port, watch=watch, grace=grace)
            await _serve(server)

        asyncio.run(run())


async def _serve(server: Any) -> None:
    app = server.app
    reloads: set[asyncio.Task[Any]] = set()

    def reload() -> None:
        task = asyncio.create_task(app.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    signals = StopSignals(reload)
    terminal = Terminal()
    await server.__aenter__()
    terminal.say(server.base_url)
    for service in app.services.values():
        terminal.say(f"serving {service.name} from {service.stable.path}, {service.stable.digest}")
    keys = "with API keys" if app.access.keys else "to anybody who can reach it"
    if app.has_page:
        terminal.say(f"to try it: {server.base_url}/playground")
    terminal.say(f"it answers {keys}; Ctrl-C stops")
    await signals.first.wait()
    await signals.close(server.__aexit__())


def _import_serving() -> Any:
    try:
        from langprog import serving  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise InputError(
            "langprog serve needs starlette and uvicorn: pip install 'langprog[serve]'"
        ) from None
    return serving


class ArtifactLoader:
    """Loads artifacts with the models and tools of the command line.

    Args:
        loaded: Makes what a service takes, of a program, a digest and a certificate.
        asked: The models of the command line.
        modules: Modules that may be imported.
        retrievers: Retrievers by name.
        tools: Tools that artifacts may need.
    """

    def __init__(
        self,
        loaded: Callable[[Module, str, Mapping[str, Any]], Any],
        asked: NamedModels,
        modules: list[str],
        retrievers: Mapping[str, Any],
        tools: HandedTools,
    ) -> None:
        self._loaded, self._asked, self._modules = loaded, asked, modules
        self._retrievers, self._tools = retrievers, tools
        # A new artifact shares connections and throttles with the one that it replaces.
        self._models: dict[str, str | LanguageModel] = {}
        self.ambient = None if asked.ambient is None else to_model(asked.ambient)
        # Whether a cap in dollars has to know what each call costs.
        self.needs_prices = False
        self._used: set[str] = set()
        self._uses_ambient = False

    def __call__(self, path: Path) -> Any:
        """Return what is in an artifact.

        Raises:
            ArtifactError: It cannot be loaded.
            ModelError: A model that it needs is not named, or has no key or address.
        """
        artifact = read_artifact(path)
        names = artifact.model_names
        for name, model in self._asked.replacements_for(names).items():
            self._models.setdefault(name, model)
        models = {
            name: model for name, model in self._models.items() if name.partition("#")[0] in names
        }
        handed = set(names_handed_over(artifact.data.program))
        tools = self._tools
        program = artifact.program(
            allow_modules=self._modules,
            models=models,
            retrievers=keep_named(self._retrievers, handed),
            tools=keep_named(tools, handed) if isinstance(tools, Mapping) else tools,
        )
        self._check_models(program, path)
        self._used |= {*models, *handed}
        certificate = (artifact.evidence or {}).get("certificate") or {}
        return self._loaded(program, artifact.digest, certificate)

    def _check_models(self, program: Module, path: Path) -> None:
        """Check that every model can be called, before a request finds out."""
        try:
            with using(lm=self.ambient):
                used = [model_in_force(model) for _, model in models_in(program)]
                if uses_ambient_model(program):
                    self._uses_ambient = True
                    used.append(model_in_force(None))
            for lm in used:
                if lm.endpoint.startswith("litellm:"):
                    check_provider(lm.name)
                if self.needs_prices and price_in(lm) is None:
                    raise ModelError(
                        f"{lm.name} has no known price, so --dollars cannot be kept: cap --calls"
                    )
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None

    def check_all_used(self) -> None:
        """Check that what the command line names is of use for some artifact.

        Raises:
            InputError: Something is not.
        """
        named: Collection[str] = self._tools if isinstance(self._tools, Mapping) else ()
        for option, given in (
            ("--model", self._asked.replaced),
            ("--retriever", self._retrievers),
            ("--tool", named),
        ):
            if unused := sorted({*given} - self._used):
                raise InputError(f"{option}: no artifact names {', '.join(unused)}")
        if self._asked.lm is not None and not self._uses_ambient:
            raise InputError(
                f"--lm {self._asked.lm} would not be used: every module names its model; write "
                "--model NAME=provider/model"
            )


def to_model(model: str | LanguageModel) -> LanguageModel:
    """Return a model by its name."""
    return LM(model) if isinstance(model, str) else model


def _access(
    serving: Any,
    keys: str | None,
    admin_keys: str | None,
    host: str,
    allow_host: list[str] | None,
) -> Any:
    read = serving.Keys.read
    accepted = read(keys, os.environ.get(KEYS_VARIABLE), "--keys")
    admin = read(admin_keys, os.environ.get(ADMIN_VARIABLE), "--admin-keys")
    # Without keys, pages of other sites must not get through by a name of theirs.
    closed = not accepted and host in serving.LOOPBACK
    hosts = frozenset({*serving.LOOPBACK, *(name.lower() for name in allow_host or ())})
    return serving.Access(accepted, admin, hosts if closed else None)


def _scoring(metric: str | None, judge: str | None) -> dict[str, Any]:
    """Return the metrics of artifacts on trial.

    Raises:
        InputError: There are two, or one cannot be loaded.
    """
    if metric is not None and judge is not None:
        raise InputError("--metric and --judge: choose one; --judge scores without labels")
    given = {"metric": metric, "judge": judge}
    return {name: load_metric(text) for name, text in given.items() if text is not None}


def _trials(
    serving: Any,
    named: Mapping[str, Path],
    canary: str | None,
    shadow: str | None,
    scoring: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the artifacts on trial, by the names of the programs.

    Raises:
        InputError: An option is not of its form, or names no program.
    """
    files: dict[str, Path] = {}
    shares: dict[str, dict[str, float]] = {}
    for option, text in (("canary", canary), ("shadow", shadow)):
        if text is None:
            continue
        name, file, share = _read_trial(f"--{option}", text, named)
        if files.setdefault(name, file) != file:
            raise InputError(
                f"--canary and --shadow of {name} name two artifacts: choose one of them"
            )
        shares.setdefault(name, {})["share" if option == "canary" else option] = share
    if scoring and not files:
        raise InputError("--metric and --judge score artifacts on trial: add --canary or --shadow")
    return {name: serving.Trial(files[name], **each, **scoring) for name, each in shares.items()}


def _read_trial(option: str, text: str, named: Mapping[str, Path]) -> tuple[str, Path, float]:
    place, _, share = text.rpartition("=")
    name, equals, file = place.rpartition("=")
    if not equals:
        name, file = (*named,)[0] if len(named) == 1 else "", place
    try:
        part = float(share)
    except ValueError:
        part = 0.0
    if name not in named or not file or not 0.0 < part <= 1.0:
        raise InputError(
            f"{option} {text!r}: write FILE=SHARE, or NAME=FILE=SHARE if several programs are "
            f"served; NAME is one of {', '.join(named)}, and SHARE is above 0 and at most 1"
        )
    return name, Path(file), part


def _name_files(artifacts: Sequence[str]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for text in artifacts:
        name, equals, file = text.partition("=")
        path = Path(file if equals and not Path(text).exists() else text)
        name = name if str(path) != text else path.name.removesuffix(".json")
        if name in named:
            raise InputError(f"two programs are named {name!r}: name one, NAME=FILE")
        named[name] = path
    return named
