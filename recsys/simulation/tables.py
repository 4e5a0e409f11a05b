"""A world and its log as Arrow tables: first what a log may say, then what only we know."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from recsys.simulation.log import Slates
from recsys.simulation.readers import Attribute
from recsys.simulation.world import World

TIME = pa.timestamp("us", "UTC")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def news(world: World) -> pa.Table:
    """Return the canonical news."""
    lexicon, items = world.lexicon, world.news
    sections = [section.name for section in lexicon.sections]
    return pa.table(
        {
            "news_id": pa.array(items.ids),
            "title": pa.array(items.titles),
            "abstract": pa.array(items.abstracts, pa.string()),
            "category": _named(items.topics, lexicon.topics),
            "subcategory": _named(items.sections, sections),
            "provider": _named(items.providers, list(lexicon.providers)),
            "published_at": moments(world, items.born),
        }
    )


def attributes(world: World) -> pa.Table:
    """Return readers' attributes as far as the log knows them."""
    columns = {
        name: _known(attribute).cast(pa.string())
        for name, attribute in world.readers.attributes.items()
    }
    return pa.table({"user_id": pa.array(world.readers.ids), **columns})


def true_attributes(world: World) -> pa.Table:
    """Return readers' attributes, none missing."""
    columns = {
        name: _named(attribute.codes, attribute.values)
        for name, attribute in world.readers.attributes.items()
    }
    return pa.table({"user_id": pa.array(world.readers.ids), **columns})


def impressions(world: World, blocks: Sequence[Slates]) -> pa.Table:
    """Return the canonical impressions of some slates, row by row from the top of each."""
    places = world.config.slate
    readers = np.concatenate([block.readers for block in blocks])
    times = _start_us(world) + np.concatenate([block.times for block in blocks])
    return pa.table(
        {
            "slate_id": np.repeat(_slate_ids(blocks), places),
            "user_id": coded(np.repeat(readers, places), world.readers.ids),
            "time": pa.array(np.repeat(times, places)).cast(pa.timestamp("us")).cast(TIME),
            "news_id": coded(_flat(blocks, "news"), world.news.ids),
            "position": np.tile(np.arange(1, places + 1, dtype=np.int16), len(readers)),
            "clicked": _flat(blocks, "clicked"),
            "propensity": _flat(blocks, "propensity").astype(np.float32),
        }
    )


def true_impressions(world: World, blocks: Sequence[Slates], examination: np.ndarray) -> pa.Table:
    """Return what was true of each impression, in the order of :func:`impressions`."""
    places, slates = world.config.slate, _slate_ids(blocks)
    readers = np.concatenate([block.readers for block in blocks])
    return pa.table(
        {
            "slate_id": np.repeat(slates, places),
            "user_id": coded(np.repeat(readers, places), world.readers.ids),
            "news_id": coded(_flat(blocks, "news"), world.news.ids),
            "relevance": _flat(blocks, "relevance").astype(np.float32),
            "examination": np.tile(examination.astype(np.float32), len(slates)),
            "inclusion": _flat(blocks, "inclusion").astype(np.float32),
        }
    )


def moments(world: World, hours: np.ndarray) -> pa.Array:
    """Turn hours from the start of the log into times, UTC, to the second."""
    seconds = np.round(hours * 3600).astype(np.int64)
    return pa.array(_start_us(world) + seconds * 1_000_000).cast(pa.timestamp("us")).cast(TIME)


def vectors(values: np.ndarray) -> pa.Array:
    """Return the rows of a matrix as lists of float32 of a fixed size."""
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def coded(codes: np.ndarray, values: Sequence[str]) -> pa.DictionaryArray:
    """Return strings as codes into their distinct values."""
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(values, pa.string()))


def _start_us(world: World) -> int:
    return (world.config.start - EPOCH) // timedelta(microseconds=1)


def _slate_ids(blocks: Sequence[Slates]) -> np.ndarray:
    """Number the slates of consecutive blocks."""
    return blocks[0].first_id + np.arange(sum(len(block.readers) for block in blocks))


def _flat(blocks: Sequence[Slates], name: str) -> np.ndarray:
    return np.concatenate([getattr(block, name).ravel() for block in blocks])


def _named(codes: np.ndarray, values: Sequence[str]) -> pa.Array:
    return coded(codes, values).cast(pa.string())


def _known(attribute: Attribute) -> pa.DictionaryArray:
    codes = pa.array(attribute.codes.astype(np.int32), mask=~attribute.known)
    return pa.DictionaryArray.from_arrays(codes, pa.array(attribute.values))
