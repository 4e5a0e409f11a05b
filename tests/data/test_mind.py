import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.sources import mind
from recsys.errors import DataError
from tests.data.reading import tables

NEWS = (
    'N1\tnews\tworld\tA "quoted" title\tAbstract\turl\t[]\t[]\nN2\tsports\tgolf\t\t\turl\t[]\t[]\n'
)
BEHAVIORS = (
    "7\tU1\t11/15/2019 9:05:58 AM\tN3 N1\tN1-0 N2-1\n3\tU2\t11/15/2019 12:00:00 AM\t\tN2-0\n"
)


@pytest.fixture
def split(tmp_path):
    (tmp_path / "news.tsv").write_text(NEWS)
    (tmp_path / "behaviors.tsv").write_text(BEHAVIORS)
    return tmp_path


def test_each_news_shown_is_one_impression(split):
    shown = tables(mind.read, split)[0]["impressions"]
    rows = shown[["slate_id", "user_id", "news_id", "clicked", "position"]].to_numpy().tolist()
    assert rows == [
        [7, "U1", "N1", False, 0],
        [7, "U1", "N2", True, 0],
        [3, "U2", "N2", False, 0],
    ]


def test_times_are_read_by_the_american_clock(split):
    times = tables(mind.read, split)[0]["impressions"]["time"]
    assert [f"{time:%m-%d %H:%M:%S}" for time in times.unique()] == [
        "11-15 09:05:58",
        "11-15 00:00:00",
    ]


def test_a_history_is_kept_where_the_log_has_one(split):
    histories = tables(mind.read, split)[0]["histories"]
    assert histories["user_id"].tolist() == ["U1"]
    assert histories["history"].iloc[0].tolist() == ["N3", "N1"]


def test_news_keep_their_words(split):
    news = tables(mind.read, split)[0]["news"]
    assert news["title"].tolist() == ['A "quoted" title', ""]
    assert news["subcategory"].tolist() == ["world", "golf"]
    assert news["abstract"].isna().tolist() == [False, True]
    assert "embedding" not in news


GOOD = "8\tU3\t11/15/2019 9:05:58 AM\tN1\tN1-0"
BAD = {
    "fields": ("8\tU3\t11/15/2019 9:05:58 AM\tN1", "5 fields"),
    "id": ("x\tU3\t11/15/2019 9:05:58 AM\tN1\tN1-0", "slate_id: an integer"),
    "duplicate id": ("7\tU3\t11/15/2019 9:05:58 AM\tN1\tN1-0", "slate_id: no duplicate"),
    "user": ("8\t\t11/15/2019 9:05:58 AM\tN1\tN1-0", "user_id: a value"),
    "time": ("8\tU3\t2019-11-15\tN1\tN1-0", "time: a time like"),
    "no such day": ("8\tU3\t02/30/2019 9:05:58 AM\tN1\tN1-0", "time: a time like"),
    "short year": ("8\tU3\t2/2/19 9:05:58 AM\tN1\tN1-0", "time: a time like"),
    "unlabelled": ("8\tU3\t11/15/2019 9:05:58 AM\tN1\tN1 N2", "shown: distinct news ids"),
    "label": ("8\tU3\t11/15/2019 9:05:58 AM\tN1\tN1-0 N2-2", "shown: distinct news ids"),
    "nothing shown": ("8\tU3\t11/15/2019 9:05:58 AM\tN1\t", "shown: distinct news ids"),
    "shown twice": ("8\tU3\t11/15/2019 9:05:58 AM\tN1\tN1-0 N2-0 N1-1", "shown: distinct news"),
    "history": ("8\tU3\t11/15/2019 9:05:58 AM\tN1  N2\tN1-0", "history: news ids"),
}


@pytest.mark.parametrize(("line", "expected"), BAD.values(), ids=BAD)
def test_a_bad_row_is_named(split, line, expected):
    (split / "behaviors.tsv").write_text(BEHAVIORS + line + "\n")
    with pytest.raises(DataError, match=f"behaviors.tsv:3: expected {expected}"):
        tables(mind.read, split)


def test_bad_rows_are_left_out_and_the_rest_is_read(split):
    lines = [line for line, _ in BAD.values()]
    mixed = [BEHAVIORS.splitlines()[0], *lines[:5], GOOD, *lines[5:], BEHAVIORS.splitlines()[1]]
    (split / "behaviors.tsv").write_text("\n".join(mixed))
    whole, dropped = tables(mind.read, split, skip=True)
    assert whole["impressions"]["slate_id"].tolist() == [7, 7, 8, 3]
    assert whole["histories"]["user_id"].tolist() == ["U1", "U3"]
    assert sum(dropped.values()) == len(BAD)


IDS = st.lists(st.integers(1, 99), unique=True, min_size=1, max_size=5)


@settings(max_examples=40)
@given(st.lists(st.tuples(IDS, st.lists(st.sampled_from(["", "N1", "  ", "é-1 x"]), max_size=1))))
def test_any_mix_of_good_and_bad_slates_is_taken_apart(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("mind")
    (folder / "news.tsv").write_text(NEWS)
    slates = {}
    lines = []
    for number, (ids, bad) in enumerate(rows):
        shown = bad[0] if bad else " ".join(f"N{i}-{i % 2}" for i in ids)
        lines.append(f"{number}\tU\t11/15/2019 9:05:58 AM\tN1\t{shown}\n")
        if not bad:
            slates[number] = [(f"N{i}", i % 2 == 1) for i in ids]
    (folder / "behaviors.tsv").write_text("".join(lines), encoding="utf-8")
    whole, dropped = tables(mind.read, folder, skip=True)
    found = {}
    if slates:
        for row in whole["impressions"].itertuples():
            found.setdefault(row.slate_id, []).append((row.news_id, row.clicked))
    assert found == slates
    assert sum(dropped.values()) == len(rows) - len(slates)


def test_a_news_listed_twice_is_named(split):
    (split / "news.tsv").write_text(NEWS + NEWS)
    with pytest.raises(DataError, match=r"news.tsv:3: expected news_id: no duplicate, found 'N1'"):
        tables(mind.read, split)


def test_a_missing_file_is_named(split):
    (split / "behaviors.tsv").unlink()
    with pytest.raises(DataError, match=r"behaviors.tsv: the file is missing"):
        tables(mind.read, split)


def test_news_are_described_by_the_mean_of_their_entities(split):
    entity = '[{"Label": "Q2", "WikidataId": "Q%d", "Confidence": 1.0}]'
    (split / "news.tsv").write_text(
        f"N1\tn\tw\tT\tA\turl\t{entity % 1}\t{entity % 2}\nN2\tn\tw\tT\tA\turl\t{entity % 9}\t[]\n"
    )
    (split / "entity_embedding.vec").write_text("Q1\t1.0\t-2e-1\t\nQ2\t3.0\t0.4\t\n")
    embedding = tables(mind.read, split)[0]["news"]["embedding"]
    assert embedding.iloc[0] == pytest.approx([(1.0 + 3.0) / 2, (-0.2 + 0.4) / 2])
    assert embedding.iloc[1] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Q1\n", "vec:1: expected an entity and its vector"),
        ("Q1\t1.0\t2.0\nQ2\t1.0\n", "vec:2: expected 3 fields"),
        ("Q1\t1.0\t2.0\nQ2\t1.0\tnan?\n", "vec:2: expected x1: a number, found 'nan"),
    ],
)
def test_a_bad_vector_is_named(split, text, message):
    (split / "entity_embedding.vec").write_text(text)
    with pytest.raises(DataError, match=message):
        tables(mind.read, split)


@pytest.mark.shared
def test_the_real_slice_has_its_known_counts(shared_data):
    whole, dropped = tables(mind.read, shared_data / "mind")
    shown = whole["impressions"]
    assert (shown["slate_id"].nunique(), len(shown), shown["clicked"].sum()) == (5000, 189359, 7542)
    assert len(whole["news"]) == 2000
    assert dropped == {}
