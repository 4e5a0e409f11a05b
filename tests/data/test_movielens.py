import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.sources import movielens
from recsys.errors import DataError
from tests.data.reading import tables

NO_GENRES = "|".join(["0"] * 19)


def write_100k(folder, ratings):
    (folder / "u.data").write_text("".join("\t".join(map(str, row)) + "\n" for row in ratings))
    (folder / "u.user").write_text("1|17|F|student|00000\n2|56|M|other|T8H1N\n")
    (folder / "u.item").write_bytes(
        "1|Été (1995)|01-Jan-1995|||0|1|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n".encode("latin-1")
        + f"2|unkonwn|01-Jan-unkonwn|||{NO_GENRES}\n".encode()
    )
    return folder


def write_1m(folder, ratings):
    (folder / "ratings.dat").write_text("".join("::".join(map(str, row)) + "\n" for row in ratings))
    (folder / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    (folder / "movies.dat").write_bytes("1::Été (1995)::Drama|War\n2::X::\n".encode("latin-1"))
    return folder


@pytest.fixture(params=[write_100k, write_1m], ids=["100k", "1m"])
def write(request):
    return request.param


def shown(folder, **options):
    return tables(movielens.read, folder, **options)[0]["impressions"]


def test_four_stars_are_a_click(tmp_path, write):
    rows = shown(write(tmp_path, [(1, film, film, 100) for film in (1, 2, 3, 4, 5)]))
    assert rows["clicked"].tolist() == [False, False, False, True, True]


def test_windows_hold_consecutive_ratings_of_one_reader(tmp_path, write):
    num = movielens.WINDOW + 2
    ratings = [(user, film, 3, 1000 * film + user) for film in range(1, num + 1) for user in (1, 2)]
    rows = shown(write(tmp_path, ratings))
    windows = rows.groupby("slate_id")["news_id"].apply(lambda news: [int(film) for film in news])
    first, rest = list(range(1, num - 1)), [num - 1, num]
    assert windows.tolist() == [first, first, rest, rest]
    assert rows.groupby("slate_id")["user_id"].first().tolist() == ["1", "2", "1", "2"]


def test_a_slate_is_shown_at_its_first_rating(tmp_path, write):
    rows = shown(write(tmp_path, [(1, 1, 3, 70), (1, 2, 3, 60)]))
    assert rows["news_id"].tolist() == ["2", "1"]
    assert [time.timestamp() for time in rows["time"]] == [60, 60]


def test_ties_in_time_go_by_film(tmp_path, write):
    rows = shown(write(tmp_path, [(1, film, 3, 60) for film in (10, 9, 2)]))
    assert rows["news_id"].tolist() == ["2", "9", "10"]


RATINGS = st.dictionaries(
    st.tuples(st.integers(1, 3), st.integers(1, 30)),
    st.tuples(st.integers(1, 5), st.integers(0, 20)),
    min_size=1,
)


@settings(max_examples=40)
@given(RATINGS, st.randoms())
def test_slates_hold_each_rating_once_whatever_the_order(tmp_path_factory, ratings, random):
    lines = [(user, film, *rest) for (user, film), rest in ratings.items()]
    random.shuffle(lines)
    rows = shown(write_100k(tmp_path_factory.mktemp("ml"), lines))
    found = zip(rows["user_id"].astype(int), rows["news_id"].astype(int), strict=True)
    assert sorted(found) == sorted(ratings)
    slates = rows.groupby("slate_id")
    assert slates.size().max() <= movielens.WINDOW
    assert slates["time"].first().is_monotonic_increasing
    assert slates["user_id"].nunique().max() == 1


def test_titles_genres_and_dates_of_100k(tmp_path):
    news = tables(movielens.read, write_100k(tmp_path, [(1, 1, 3, 60)]))[0]["news"]
    assert news["title"].tolist() == ["Été (1995)", "unkonwn"]
    assert news[["category", "subcategory"]].iloc[0].tolist() == ["Action", "Comedy"]
    assert news[["category", "subcategory"]].iloc[1].isna().all()
    assert news["published_at"].dt.year.iloc[0] == 1995
    assert news["published_at"].isna().iloc[1]


def test_titles_and_genres_of_1m(tmp_path):
    news = tables(movielens.read, write_1m(tmp_path, [(1, 1, 3, 60)]))[0]["news"]
    assert news["title"].tolist() == ["Été (1995)", "X"]
    assert news[["category", "subcategory"]].iloc[0].tolist() == ["Drama", "War"]
    assert news[["category", "subcategory"]].iloc[1].isna().all()


def test_titles_in_utf_8_do_not_break(tmp_path):
    write_1m(tmp_path, [(1, 1, 3, 60)])
    (tmp_path / "movies.dat").write_text("1::Été (1995)::Drama\n", encoding="utf-8")
    assert tables(movielens.read, tmp_path)[0]["news"]["title"].tolist() == ["Été (1995)"]


def test_both_layouts_say_the_same_of_readers(tmp_path, write):
    known = tables(movielens.read, write(tmp_path, [(1, 1, 3, 60)]))[0]["attributes"]
    assert known["user_id"].tolist() == ["1", "2"]
    assert known["gender"].tolist() == ["F", "M"]
    assert known["age"].tolist() == ["under 18", "56+"]
    assert known["occupation"].iloc[0] in ("student", "K-12 student")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1, 2, 6, 60), ":2: expected rating: an integer from 1 to 5, found '6'"),
        ((1, 2, 3, "noon"), ":2: expected time: an integer"),
        (("x", 2, 3, 60), ":2: expected user: an integer"),
        ((1, 1, 5, 61), ":2: expected one rating of a film by a user"),
        ((1, 2, 3), ":2: expected 4 fields"),
    ],
)
def test_a_bad_rating_is_named_and_may_be_skipped(tmp_path, write, row, message):
    write(tmp_path, [(1, 1, 3, 60), row])
    with pytest.raises(DataError, match=message):
        shown(tmp_path)
    assert len(shown(tmp_path, skip=True)) == 1


def test_ratings_without_times_are_refused_in_plain_words(tmp_path):
    write_1m(tmp_path, [(1, 1193, 5), (1, 661, 3)])
    for skip in (False, True):
        with pytest.raises(DataError, match=r"ratings.dat:1: ratings have no timestamps"):
            shown(tmp_path, skip=skip)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"MovieLens folder with u\.data or ratings\.dat"):
        shown(tmp_path)


@pytest.mark.shared
def test_the_real_100k_has_its_known_counts(shared_data):
    whole, _ = tables(movielens.read, shared_data / "ml-100k")
    rows = whole["impressions"]
    assert (rows["user_id"].nunique(), len(whole["news"]), len(rows)) == (943, 1682, 100_000)
    assert whole["attributes"]["gender"].value_counts().to_dict() == {"M": 670, "F": 273}
    slates = rows.drop_duplicates("slate_id").sort_values("slate_id")
    assert slates.groupby("user_id")["time"].apply(lambda t: t.is_monotonic_increasing).all()
