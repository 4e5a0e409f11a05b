"""Writes the truth of a world while its log is drawn; :mod:`recsys.simulation.truth` reads it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.simulation import clicks, tables
from recsys.simulation.log import Log, Slates
from recsys.simulation.truth import BLOCK_PAIRS, FOLDER, exposure, log_missed
from recsys.simulation.world import World

COMPRESSION = "zstd"
_UNFINISHED = "impressions.unfinished.parquet"


class TruthWriter:
    """Puts ``truth/`` into a dataset's folder: call :meth:`impressions`, then :meth:`finish`.

    Exposure depends on the whole log, so it is added in a second pass over the file: memory grows
    with readers times hours and news times hours, never with impressions.

    Args:
        dataset: The dataset's folder, still in the making.
        world: The world the log is of.
    """

    def __init__(self, dataset: Path, world: World) -> None:
        self._folder = dataset / FOLDER
        self._folder.mkdir()
        self._world = world
        self._curve = clicks.examination(world.config.slate, world.config.position_bias)
        self._file: pq.ParquetWriter | None = None

    def impressions(self, blocks: Sequence[Slates]) -> None:
        """Add slates, in order."""
        table = tables.true_impressions(self._world, blocks, self._curve)
        if self._file is None:
            self._file = _writer(self._folder / _UNFINISHED, table.schema)
        self._file.write_table(table, row_group_size=table.num_rows)

    def finish(self, log: Log) -> None:
        """Write the rest, once the log is drawn."""
        if self._file is not None:
            self._file.close()
            self._add_exposure(log)
        self._write("attributes", tables.true_attributes(self._world))
        self._write("readers", _readers(self._world))
        self._write("news", _news(self._world))
        self._write("inclusion", _inclusion(self._world, log))
        places = np.arange(1, len(self._curve) + 1, dtype=np.int16)
        self._write("examination", pa.table({"position": places, "examination": self._curve}))
        settings = self._world.config.model_dump_json(indent=2)
        (self._folder / "world.json").write_text(settings + "\n", encoding="utf-8")

    def _write(self, name: str, table: pa.Table) -> None:
        pq.write_table(table, self._folder / f"{name}.parquet", compression=COMPRESSION)

    def _add_exposure(self, log: Log) -> None:
        visits = np.ascontiguousarray(self._world.readers.visits.T)
        unseen = np.ascontiguousarray(log_missed(log.inclusion.T))
        users, items = pd.Index(self._world.readers.ids), pd.Index(self._world.news.ids)
        source = pq.ParquetFile(self._folder / _UNFINISHED)
        schema = source.schema_arrow.append(pa.field("exposure", pa.float32()))
        with _writer(self._folder / "impressions.parquet", schema) as target:
            for group in range(source.num_row_groups):
                table = source.read_row_group(group)
                pairs = _rows(users, table["user_id"]), _rows(items, table["news_id"])
                column = _exposure(visits, unseen, *pairs)
                target.write_table(table.append_column(schema.field("exposure"), [column]))
        (self._folder / _UNFINISHED).unlink()


def _exposure(
    visits: np.ndarray, unseen: np.ndarray, users: np.ndarray, items: np.ndarray
) -> pa.Array:
    starts = range(0, len(users), BLOCK_PAIRS)
    blocks = [slice(at, at + BLOCK_PAIRS) for at in starts]
    return pa.array(
        np.concatenate([exposure(visits[users[at]], unseen[items[at]]) for at in blocks])
    )


def _rows(ids: pd.Index, column: pa.ChunkedArray) -> np.ndarray:
    """Look up the distinct ids of an encoded column once each."""
    encoded = column.combine_chunks()
    return ids.get_indexer(encoded.dictionary.to_pandas())[encoded.indices.to_numpy()]


def _readers(world: World) -> pa.Table:
    readers = world.readers
    users, hours = np.nonzero(readers.visits.T)
    offsets = np.searchsorted(users, np.arange(len(readers.ids) + 1)).astype(np.int32)
    return pa.table(
        {
            "user_id": pa.array(readers.ids),
            "taste": tables.vectors(readers.tastes),
            "personal_taste": tables.vectors(readers.personal),
            "visits": pa.ListArray.from_arrays(offsets, pa.array(hours.astype(np.int16))),
        }
    )


def _news(world: World) -> pa.Table:
    news, tones = world.news, list(world.lexicon.tones)
    return pa.table(
        {
            "news_id": pa.array(news.ids),
            "appeal": news.appeal,
            "point": tables.vectors(news.points),
            "tone": pa.array([tones[tone] for tone in news.tones]),
            "live_from": tables.moments(world, np.ceil(news.born)),
            "live_until": tables.moments(world, np.floor(news.dies)),
        }
    )


def _inclusion(world: World, log: Log) -> pa.Table:
    hours, items = np.nonzero(log.inclusion)
    return pa.table(
        {
            "hour": hours.astype(np.int16),
            "news_id": tables.coded(items, world.news.ids),
            "inclusion": log.inclusion[hours, items],
        }
    )


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression=COMPRESSION)
