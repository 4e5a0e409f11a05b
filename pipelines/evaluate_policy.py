"""`recsys evaluate-policy`: what a new policy would have earned, from another policy's log."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from pipelines import policies, policy_report, policy_run
from pipelines.console import emit, err, out
from pipelines.policies import Policy
from pipelines.policy_run import RunPolicyConfig
from recsys import config
from recsys.config import Config, Seed
from recsys.data.sources.policy_table import PolicyColumns, PolicyLog
from recsys.evaluation import battery, offpolicy
from recsys.evaluation.battery import Estimate, Model
from recsys.evaluation.bootstrap import Interval, mean_interval
from recsys.evaluation.overlap import distance, overlap, trusted
from recsys.evaluation.reward_model import cross_fit

_YES = {True: "yes", False: "no"}


class PolicyConfig(Config):
    """What `recsys evaluate-policy` can be told in a file or with --set."""

    columns: PolicyColumns = PolicyColumns()
    """Which column of the log is what."""
    run: RunPolicyConfig = RunPolicyConfig()
    """How a run of our own chooses what to show."""
    seed: Seed = 0
    """Of bootstrap and cross-fitting."""


def main(
    log: Annotated[
        Path, typer.Argument(help="Table of rounds, Open Bandit folder, or dataset (for run:).")
    ],
    policy: Annotated[str, typer.Option(help="; ".join(policies.KINDS) + ".")],
    report: Annotated[Path | None, typer.Option(help="Write an HTML report to this file.")] = None,
    file: Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting, as in --set columns.reward=sales; may repeat."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Estimate what a new policy would have earned, from another policy's log.

    Overlap is examined before any estimate: warnings say where the log cannot speak about the
    policy. Every estimator comes with a bootstrap interval, an effective sample size, and the
    report says in words which to trust.

    With run:RUN, LOG is the dataset RUN was trained on, and all slates of its test's time count;
    readers are encoded from what they had clicked before each slate.

    Example: recsys evaluate-policy obd/random/men --policy like:obd/bts/men --report policy.html

    Example: recsys evaluate-policy log.csv --policy column --set columns.target=new_probability

    Example: recsys evaluate-policy data/demo --policy run:runs/demo
    """
    chosen = config.load(PolicyConfig, file, settings or [])
    result = evaluate(log, policy, chosen)
    emit(result) if json else _print(result)
    if report is not None:  # last: where it cannot be written, the numbers are not lost
        policy_report.write(result, report)
        err.print(f"report: {report}")


def evaluate(path: Path, words: str, settings: PolicyConfig) -> dict[str, Any]:
    """Estimate one policy's value; the keys are those of the JSON output.

    Raises:
        DataError: The log or the policy's file breaks its format.
        ConfigError: ``words`` name no policy.
    """
    rng = np.random.default_rng(settings.seed)
    if words.startswith("run:"):
        found = policy_run.evaluate(path, Path(words[4:]), settings.run, rng)
    else:
        rounds = policies.read_log(path, settings.columns)
        found = _table_log(rounds, policies.make(words, rounds, settings.columns, rng), rng)
    described = settings.model_dump(mode="json")
    return {"log": str(path), "policy": words} | found | {"settings": described}


def _table_log(log: PolicyLog, policy: Policy, rng: np.random.Generator) -> dict[str, Any]:
    weights = policy.logged / log.propensities
    found = overlap(
        weights,
        limit=float(np.quantile(weights, policy_run.CLIP_QUANTILE)),
        unsupported=_unsupported(log, policy),
    )
    model = _reward_model(log, policy, rng)
    unsupported = float(np.nan_to_num(found.unsupported))
    estimates = battery.bandit(
        log.rewards, weights, model, log.slates, unsupported=unsupported, rng=rng
    )
    gap = 0.0
    if model is not None:
        snips = offpolicy.snips(log.rewards, weights)
        gap = distance(offpolicy.direct_method(model.policy), snips)
    logged = mean_interval(log.rewards, log.slates, rng=rng)
    advice = trusted(found, model is not None, gap)
    advice += battery.unidentified(estimates, float(np.ptp(log.rewards)))
    return policy_run.summed_up(found, estimates, advice) | {
        "unit": "reward a round",
        "logging_policy": asdict(logged),
        "on_policy": None if policy.on_policy is None else asdict(policy.on_policy),
        "against_on_policy": _against(estimates, policy.on_policy),
    }


def _against(estimates: list[Estimate], on_policy: Interval | None) -> dict[str, dict[str, Any]]:
    """Compare each estimate with the value on the policy's own log, which has an error too."""
    if on_policy is None:
        return {}
    found = {}
    for row in estimates:
        gap = Interval(row.value, row.low, row.high).minus(on_policy)
        inside = row.low <= on_policy.mean <= row.high
        found[row.estimator] = {"contained": inside, "difference": asdict(gap)}
    return found


def _unsupported(log: PolicyLog, policy: Policy) -> float:
    """Probability the policy gives to what the log never shows; NaN if it cannot be known."""
    if policy.table is None:
        return float("nan")
    seen = np.zeros(policy.table.shape, dtype=bool)
    seen[log.positions, log.actions] = True
    mass = 1 - np.where(seen, policy.table, 0.0).sum(axis=1)
    return float(np.clip(mass[log.positions].mean(), 0.0, 1.0))


def _reward_model(log: PolicyLog, policy: Policy, rng: np.random.Generator) -> Model | None:
    """Guess rewards by cross-fitting; None without the whole policy, or rounds to learn from."""
    if policy.table is None or len(log) < 2:
        return None
    places = np.eye(len(log.position_names))[log.positions][:, 1:]
    context = np.concatenate([log.context, places], axis=1)
    fitted = cross_fit(context, log.actions, log.rewards, len(log.action_names), rng=rng)
    missing = 1 - policy.table.sum(
        axis=1, keepdims=True
    )  # of actions that only the other log knows
    table = policy.table + missing / len(log.action_names)
    return Model(
        fitted.logged(),
        fitted.averaged(table, log.positions),
        lambda rewards, used: fitted.taught(rewards, used, table, log.positions),
    )


def _print(result: dict[str, Any]) -> None:
    found = result["overlap"]
    out.print(
        f"{result['log']}, policy {result['policy']}: {found['rounds']:,} rounds, effective "
        f"{found['effective_sample_size']:,.0f}, largest weight {found['max_weight']:.1f}, mean "
        f"weight {found['mean_weight']:.3f}",
    )
    for warning in found["warnings"]:
        out.print(f"warning: {warning}", style="yellow")
    table = Table(title=f"value, {result['unit']}", title_justify="left")
    against = result.get("against_on_policy", {})
    heads = ["estimator", "value", "95 % low", "high", "effective rounds"]
    for name in heads + (["holds it"] if against else []):
        table.add_column(name, justify="left" if name == "estimator" else "right")
    for row in result["estimates"]:
        numbers = [_number(row[name]) for name in ("value", "low", "high")]
        size = f"{row['effective_sample_size']:,.0f}"
        gap = against.get(row["estimator"])
        table.add_row(
            row["estimator"], *numbers, size, *([] if gap is None else [_YES[gap["contained"]]])
        )
    for name in ("on_policy", "logging_policy"):
        if result.get(name):
            known = result[name]
            numbers = [f"{known[key]:.5f}" for key in ("mean", "low", "high")]
            table.add_row(name.replace("_", " "), *numbers, "", style="dim")
    out.print(table)
    for line in result["advice"]:
        out.print(line)


def _number(value: float) -> str:
    return f"{value:.5f}" if abs(value) < 1000 else f"{value:.2e}"
