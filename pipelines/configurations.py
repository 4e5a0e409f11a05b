"""Settings that come along with the product, one file a source of data."""

from pathlib import Path

CONFIGS = Path(__file__).parent / "configs"


def along(config: Path) -> Path:
    """Find settings that come with the product by their name; any other path is left as it is."""
    named = CONFIGS / f"{config}.toml"
    return named if not config.is_file() and named.exists() else config


def default_config(source: str) -> Path | None:
    """Find the settings that suit a source of data; None for those of the library."""
    path = CONFIGS / f"{source.split('-')[0]}.toml"
    return path if path.exists() else None
