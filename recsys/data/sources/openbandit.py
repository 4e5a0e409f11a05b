"""Open Bandit Data (Saito et al., 2021, arXiv:2008.07146): ``POLICY/CAMPAIGN/CAMPAIGN.csv``.

Three places of a fashion page, an item in each, the click and the true probability with which the
policy (``random`` or ``bts``) put that item there. https://research.zozo.com/data.html
"""

from pathlib import Path

from recsys.data.sources import policy_table
from recsys.data.sources.policy_table import PolicyColumns, PolicyLog

COLUMNS = PolicyColumns(
    action="item_id",
    reward="click",
    propensity="propensity_score",
    position="position",
    context=("user_feature_0", "user_feature_1", "user_feature_2", "user_feature_3"),
)


def log_file(folder: Path) -> Path | None:
    """Find the log in a folder such as ``obd/random/men``; None if it is no such folder."""
    path = folder / f"{folder.name}.csv"
    return path if path.exists() and (folder / "item_context.csv").exists() else None


def load(folder: Path) -> PolicyLog:
    """Read the log of one policy in one campaign.

    Raises:
        DataError: There is no such log, or it breaks its format.
    """
    return policy_table.load(folder / f"{folder.name}.csv", COLUMNS)
