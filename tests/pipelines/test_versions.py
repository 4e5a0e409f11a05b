import json

import numpy as np
import pytest

from pipelines.cli import run
from recsys.store.connect import open_store
from tests.store.contract import meta, publish


@pytest.fixture
def url(tmp_path):
    return f"embedded://{tmp_path}/store"


@pytest.fixture
def store(url):
    store = open_store(url)
    yield store
    store.close()


def versions(url, *options):
    return run(["versions", "--redis", url, *options])


def test_versions_are_listed_oldest_first_with_the_live_one_marked(store, url, capsys):
    publish(store, meta(2))
    publish(store, meta(1), activate=False)
    assert versions(url, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["live"] == meta(2).version
    assert [(one["version"], one["live"]) for one in report["versions"]] == [
        (meta(1).version, False),
        (meta(2).version, True),
    ]


def test_the_table_shows_what_a_person_asks_for(store, url, capsys):
    publish(store, meta(1))
    assert versions(url) == 0
    shown = capsys.readouterr().out
    assert "live" in shown
    assert meta(1).version in shown


def test_an_empty_store_says_so(store, url, capsys):
    assert versions(url) == 0
    assert "nothing was published yet" in capsys.readouterr().out
    assert versions(url, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"live": None, "versions": []}


def test_a_version_can_be_activated(store, url):
    publish(store, meta(1))
    publish(store, meta(2))
    assert versions(url, "--activate", meta(1).version) == 0
    assert store.live() == meta(1).version


def test_rolling_back_goes_one_version_back_at_a_time(store, url):
    for night in (1, 2, 3):
        publish(store, meta(night), rows=np.ones((2, 3), np.float16))
    for night in (2, 1):
        assert versions(url, "--rollback") == 0
        assert store.live() == meta(night).version


def test_there_is_no_way_back_from_the_oldest(store, url, capsys):
    publish(store, meta(1))
    assert versions(url, "--rollback") == 2
    assert "no older version is left" in capsys.readouterr().err
    assert store.live() == meta(1).version


def test_rolling_back_an_empty_store_is_refused(store, url, capsys):
    assert versions(url, "--rollback") == 2
    assert "nothing was published yet" in capsys.readouterr().err


def test_an_unknown_version_is_named(store, url, capsys):
    assert versions(url, "--activate", "nowhere") == 2
    assert "no version 'nowhere'" in capsys.readouterr().err


def test_activate_and_rollback_exclude_each_other(store, url, capsys):
    assert versions(url, "--activate", "a", "--rollback") == 2
    assert "expected one of them" in capsys.readouterr().err
