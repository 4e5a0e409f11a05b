"""The `recsys` command: verbs are loaded when they are used, so that help is instant.

Exit codes: 0 done, 1 our failure, 2 the user's input, 3 refused by a gate, 130 stopped by Ctrl-C.
"""

import importlib
import logging
import os
import sys
from typing import Any

import typer
from rich.logging import RichHandler
from typer.core import TyperCommand, TyperGroup

from pipelines.console import err
from recsys.errors import (
    InputError,
    Interrupted,
    RecsysError,
    Refused,
    StoreUnavailable,
    VersionNotFound,
)

# Before torch is imported: threads that spin while they wait for each other turn milliseconds into
# seconds as soon as anything else wants a core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

VERBS = {
    "demo": ("pipelines.demo", "From nothing to ranked news, on a simulated world."),
    "simulate": ("pipelines.simulate", "Write a dataset whose truth is known."),
    "ingest": ("pipelines.ingest", "Turn a raw log into a canonical dataset."),
    "inspect": ("pipelines.inspect", "Check a dataset and say what is in it."),
    "propensity": ("pipelines.propensity", "Estimate how likely each news was seen; weigh it."),
    "train": ("pipelines.train", "Learn bias-aware and bias-free interest from a dataset."),
    "audit": ("pipelines.audit", "Attack the vectors that would be served, and report."),
    "compare": ("pipelines.compare", "Set runs side by side, with paired intervals."),
    "publish": ("pipelines.publish", "Put a run's bundle into the store and make it live."),
    "serve": ("pipelines.serve", "Answer Rank requests over gRPC."),
    "rank": ("pipelines.rank", "Ask a running service for a reader's news."),
    "versions": ("pipelines.versions", "List published versions, activate one, or roll back."),
    "nightly": ("pipelines.nightly", "Ingest, train, audit and publish, with the audit as gate."),
    "evaluate-ratings": (
        "pipelines.evaluate_ratings",
        "Compare ways of learning from self-selected ratings.",
    ),
    "evaluate-ultr": ("pipelines.evaluate_ultr", "Compare ways of learning from biased clicks."),
    "evaluate-policy": (
        "pipelines.evaluate_policy",
        "What a new policy would have earned on another's log.",
    ),
    "doctor": ("pipelines.doctor", "Say what is installed here, and what is wrong with it."),
}
"""Verb to its module, whose function ``main`` is the command, and its line in the help."""

USER_ERRORS = (InputError, StoreUnavailable, VersionNotFound)


class _LazyVerbs(TyperGroup):
    """Imports a verb's module only when that verb is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return TyperCommand(cmd_name, help=VERBS[cmd_name][1]) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in VERBS:
            return super().resolve_command(ctx, args)
        verb = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        verb.command(args[0])(importlib.import_module(VERBS[args[0]][0]).main)
        return args[0], typer.main.get_command(verb), args[1:]


app = typer.Typer(
    cls=_LazyVerbs,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Fairness-aware news recommendation: train, audit, publish, serve.",
)


@app.callback()
def _root() -> None:
    """Fairness-aware news recommendation: train, audit, publish, serve."""


def main() -> None:
    """Run one verb and turn its outcome into an exit code."""
    level, levels = os.environ.get("RECSYS_LOG", "INFO"), logging.getLevelNamesMapping()
    if level.upper() not in levels:
        sys.exit(_say(f"RECSYS_LOG: expected one of {', '.join(levels)}, found {level!r}", 2))
    handler = RichHandler(console=err, show_path=False, show_level=False)
    logging.basicConfig(level="ERROR", format="%(message)s", handlers=[handler])
    for ours in ("recsys", "pipelines"):
        logging.getLogger(ours).setLevel(level.upper())
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run the command in this process and return its exit code."""
    try:
        app(args, prog_name="recsys")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except ModuleNotFoundError as error:
        return _say(f"{error}: this verb needs more packages; see 'Install' in the README", 2)
    except USER_ERRORS as error:
        return _say(str(error), 2)
    except Refused as error:
        return _say(f"refused: {error}", 3)
    except Interrupted as error:
        return _say(str(error), 130)
    except OSError as error:  # a full disk, a folder that may not be written
        return _say(f"{error.filename or 'input/output'}: {error.strerror or error}", 2)
    except RecsysError as error:
        return _say(str(error), 1)
    return 0


def _say(message: str, code: int) -> int:
    err.print(f"recsys: {message}", style="red")
    return code


if __name__ == "__main__":
    main()
