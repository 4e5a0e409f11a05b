"""Settings that come along with the product, one file a source of data."""

from pathlib import Path

from recsys.data.dataset import Dataset

CONFIGS = Path(__file__).parent / "configs"


def along(config: Path) -> Path:
    """Find settings that come with the product by their name; any other path is left as it is."""
    named = CONFIGS / f"{config}.toml"
    return named if not config.exists() and named.exists() else config


def default_config(dataset: Dataset) -> Path | None:
    """Find the settings that suit a dataset's source; None for those of the library."""
    path = CONFIGS / f"{dataset.info.source.split('-')[0]}.toml"
    return path if path.exists() else None
