import dataclasses

import numpy as np
import pytest
import torch

from recsys.errors import ConfigError
from recsys.training.counterfactual import CounterfactualConfig
from recsys.training.loader import Loader, LoaderConfig, histories, together
from recsys.training.seen import Seen


@pytest.fixture
def loader(corpus, tiny_config):
    return Loader(corpus, tiny_config.loader, max_history=6, seed=3)


def test_an_epoch_shows_every_training_click_once(loader, corpus):
    clicked = np.concatenate([_news(batch)[batch.candidates[:, 0]] for batch in loader.epoch(0)])
    expected = corpus.news.features.tokens[corpus.log.clicks.news[corpus.split.train]]
    assert sorted(map(tuple, clicked.tolist())) == sorted(map(tuple, expected.tolist()))


def _news(batch):
    return batch.news.tokens.numpy()


def test_the_same_epoch_and_step_give_the_same_batch_from_any_start(loader):
    whole = list(loader.epoch(1))
    resumed = list(loader.epoch(1, first_step=2))
    assert len(resumed) == len(whole) - 2
    for name in ("history", "candidates", "clicks"):
        assert torch.equal(getattr(whole[2], name), getattr(resumed[0], name))
    assert torch.equal(whole[2].news.ids, resumed[0].news.ids)


@pytest.mark.parametrize(
    ("least_steps", "batch_size", "expected"),
    [(0, 512, 512), (3, 512, "a third"), (10_000, 512, 64), (10_000, 8, 8)],
)
def test_a_small_log_is_learned_from_in_smaller_batches(corpus, least_steps, batch_size, expected):
    config = LoaderConfig(batch_size=batch_size, least_steps=least_steps)
    loader = Loader(corpus, config, max_history=6, seed=3)
    expected = loader.per_epoch // 3 if expected == "a third" else min(expected, loader.per_epoch)
    assert len(next(loader.epoch(0)).readers) == expected
    assert sum(len(batch.readers) for batch in loader.epoch(0)) == loader.per_epoch


def test_epochs_differ(loader):
    assert not torch.equal(next(loader.epoch(0)).readers, next(loader.epoch(1)).readers)


def test_slate_negatives_were_shown_in_the_clicks_slate_and_not_clicked(loader, corpus):
    parity = corpus.news.features.categories % 2  # readers click one category only
    for batch in loader.epoch(0):
        shown = batch.news.categories[batch.candidates] % 2
        real = batch.candidate_mask[:, 1:]
        assert (shown[:, 1:] != shown[:, :1])[real].all()
    assert parity.unique().numel() == 2


def test_each_distinct_news_stands_once(loader):
    batch = next(loader.epoch(0))
    used = torch.cat([batch.history.ravel(), batch.candidates.ravel()])
    assert used.unique().tolist() == list(range(len(batch.news.ids)))


def test_catalogue_negatives_are_all_learnable_news_when_that_many_are_wanted(corpus):
    loader = Loader(corpus, LoaderConfig(catalogue_negatives=10_000), max_history=6, seed=3)
    batch = next(loader.epoch(0))
    assert len(batch.negatives) == corpus.news.sizes.ids - 1


def test_ids_are_hidden_at_the_rate_asked_for(corpus):
    config = LoaderConfig(batch_size=4096, id_dropout=0.5, catalogue_negatives=10_000)
    loader = Loader(corpus, config, max_history=6, seed=3)
    hidden = [float((next(loader.epoch(n)).news.ids == 0).float().mean()) for n in range(40)]
    assert np.mean(hidden) == pytest.approx(0.5, abs=0.08)


def test_labels_of_audit_readers_never_reach_a_batch(loader, corpus):
    audit = torch.from_numpy(~corpus.attributes.fit)
    for batch in loader.epoch(0):
        assert not batch.known[audit[batch.readers]].any()


def test_histories_are_the_newest_clicks_before_the_end(corpus):
    clicks = corpus.log.clicks
    readers = np.array([0, 0, 1])
    ends = clicks.offsets[[0, 0, 1]] + [0, 2, 5]
    rows, mask = histories(corpus.log, readers, ends, 3)
    assert mask.tolist() == [[False] * 3, [False, True, True], [True] * 3]
    assert rows[1, 1:].tolist() == clicks.news[clicks.offsets[0] :][:2].tolist()
    assert rows[2].tolist() == clicks.news[clicks.offsets[1] :][2:5].tolist()


def test_together_rebuilds_every_array():
    first, second = np.array([[5, 2], [2, 9]]), np.array([9, 7])
    distinct, one, two = together(first, second)
    assert distinct.tolist() == [2, 5, 7, 9]
    assert (distinct[one] == first).all()
    assert (distinct[two] == second).all()


def test_a_click_is_found_given_the_clicks_of_its_reader_before_its_slate(loader, corpus):
    log, tokens = corpus.log, corpus.news.features.tokens
    first, end = (log.clicks.offsets[:-1], corpus.split.history_end)
    for batch in loader.epoch(0):
        for row, reader in enumerate(batch.readers.tolist()):
            history = batch.news.tokens[batch.history[row][batch.history_mask[row]]]
            found = batch.news.tokens[batch.candidates[row, 0]]
            own = np.arange(first[reader], log.clicks.offsets[reader + 1])
            given = [log.clicks.news[max(first[reader], end[at] - 6) : end[at]] for at in own]
            assert any(
                torch.equal(tokens[log.clicks.news[at]], found)
                and torch.equal(tokens[before], history)
                for at, before in zip(own, given, strict=True)
            )


def test_the_audience_is_what_training_may_know_of_readers(corpus, tiny_config):
    config = tiny_config.loader.model_copy(update={"audience": 25})
    batch = next(Loader(corpus, config, max_history=1000, seed=3).epoch(0))
    log, tokens, train = corpus.log, corpus.news.features.tokens, corpus.split.train
    assert len(batch.audience) == len(np.unique(batch.beliefs, axis=0)) == 25
    for row, belief in enumerate(batch.beliefs.numpy()):
        (reader,) = np.flatnonzero((corpus.beliefs == belief).all(axis=1))
        heard = batch.news.tokens[batch.audience[row][batch.audience_mask[row]]]
        own = train[log.reader_of_click[train] == reader]
        assert torch.equal(heard, tokens[log.clicks.news[own]])


def test_catalogue_negatives_are_distinct_and_such_as_training_may_see(corpus):
    features, config = corpus.news.features, LoaderConfig(catalogue_negatives=7, id_dropout=0.0)
    seen = features._replace(ids=features.ids.masked_fill(features.ids > 9, 0))
    corpus = dataclasses.replace(corpus, news=dataclasses.replace(corpus.news, features=seen))
    batch = next(Loader(corpus, config, max_history=6, seed=3).epoch(0))
    drawn = batch.news.ids[batch.negatives]
    assert len(drawn.unique()) == 7
    assert (drawn > 0).all()


def test_every_news_of_the_slate_that_was_not_clicked_is_drawn(corpus):
    config = LoaderConfig(slate_negatives=100)
    log, tokens = corpus.log, corpus.news.features.tokens
    missed = ~log.shown.clicked
    slate = np.repeat(np.arange(len(log.shown.reader)), np.diff(log.shown.offsets))
    others = [
        sorted(tokens[n].tolist() for n in log.shown.news[missed & (slate == s)])
        for s in log.clicks.slate[corpus.split.train]
    ]
    drawn = [
        sorted(batch.news.tokens[rows[mask]].unique(dim=0).tolist())
        for batch in Loader(corpus, config, max_history=6, seed=3).epoch(0)
        for rows, mask in zip(batch.candidates[:, 1:], batch.candidate_mask[:, 1:], strict=True)
    ]
    assert sorted(drawn) == sorted(others)


def test_nobody_listens_where_nothing_is_believed(corpus, tiny_config):
    silent = dataclasses.replace(corpus, groups={})
    batch = next(Loader(silent, tiny_config.loader, max_history=6, seed=3).epoch(0))
    assert len(batch.audience) == 0


def test_attributes_are_those_of_a_batchs_readers(loader, corpus):
    for batch in loader.epoch(0):
        assert (batch.attributes.numpy() == corpus.attributes.labels[batch.readers]).all()
        assert (batch.known.numpy() == corpus.attributes.known[batch.readers]).all()


def test_another_seed_gives_other_batches(loader, corpus, tiny_config):
    other = Loader(corpus, tiny_config.loader, max_history=6, seed=4)
    assert not torch.equal(next(loader.epoch(0)).readers, next(other.epoch(0)).readers)


def test_of_very_many_clicks_no_more_are_given_than_a_history_holds(corpus):
    loader = Loader(corpus, LoaderConfig(sample="readers"), max_history=2, seed=3)
    given = next(loader.epoch(0)).history_mask.sum(dim=1)
    assert given.float().mean() == pytest.approx(2, abs=0.5)


def test_readers_clicks_are_halved_without_one_that_is_held_out(corpus):
    loader = Loader(corpus, LoaderConfig(sample="readers"), max_history=1000, seed=3)
    log, tokens, train = corpus.log, corpus.news.features.tokens, corpus.split.train
    batch = next(loader.epoch(0))
    assert sorted(batch.readers.tolist()) == np.unique(log.reader_of_click[train]).tolist()
    sizes = []
    for row, reader in enumerate(batch.readers.tolist()):
        given = batch.news.tokens[batch.history[row][batch.history_mask[row]]]
        found = batch.news.tokens[batch.candidates[row][batch.candidate_mask[row]]]
        own = tokens[log.clicks.news[train[log.reader_of_click[train] == reader]]]
        assert sorted(torch.cat([given, found]).tolist()) == sorted(own.tolist())
        sizes.append(len(found) / len(own))
    assert np.mean(sizes) == pytest.approx(0.5, abs=0.1)
    assert torch.equal(batch.clicks, batch.candidate_mask.float())
    per_click = len(batch.readers) / batch.clicks.sum()
    torch.testing.assert_close(batch.weights, batch.clicks * per_click)


def test_readers_clicks_count_as_much_as_they_weigh(corpus):
    shown = dataclasses.replace(corpus.log.shown, weights=2 * corpus.log.shown.weights)
    heavy = dataclasses.replace(corpus, log=dataclasses.replace(corpus.log, shown=shown))
    config = LoaderConfig(sample="readers")
    light, heavy = (
        next(Loader(c, config, max_history=6, seed=3).epoch(0)) for c in (corpus, heavy)
    )
    torch.testing.assert_close(heavy.weights, 2 * light.weights)


@pytest.fixture
def weighed(corpus):
    """Everything is imputed to be liked a little, and weights are clipped hard."""
    rng = np.random.default_rng(0)
    propensity = rng.uniform(0.05, 1, len(corpus.log.shown.news)).astype(np.float32)
    seen = Seen(propensity, 1 / propensity, np.full_like(propensity, 0.5), "", (), 0.2)
    return corpus.weighed(seen, CounterfactualConfig(estimator="dr", clip=0.5))


def test_imputed_news_are_samples_beside_every_click(weighed, tiny_config):
    loader = Loader(weighed, tiny_config.loader, max_history=6, seed=3)
    clicks = weighed.split.train
    firsts = torch.cat([batch.weights[:, 0] for batch in loader.epoch(0)])
    assert len(firsts) == loader.per_epoch == len(clicks) + weighed.imputed.per_epoch
    counted = weighed.log.shown.weights[weighed.log.clicks.impression[clicks]]
    expected = counted.sum() + weighed.imputed.gain.sum()
    assert firsts.sum().item() == pytest.approx(float(expected), rel=1e-5)


def test_an_imputed_news_is_not_compared_with_itself(weighed, tiny_config):
    loader = Loader(weighed, tiny_config.loader, max_history=6, seed=3)
    for batch in loader.epoch(0):
        same = batch.candidates[:, 1:] == batch.candidates[:, :1]
        assert not (same & batch.candidate_mask[:, 1:]).any()


def test_what_is_imputed_is_refused_where_readers_are_samples(weighed):
    with pytest.raises(ConfigError, match="dr needs loader"):
        Loader(weighed, LoaderConfig(sample="readers"), max_history=6, seed=3)


def test_what_is_imputed_is_drawn_anew_each_epoch(weighed, tiny_config):
    loader = Loader(weighed, tiny_config.loader, max_history=6, seed=3)
    ones = [sorted(torch.cat([b.readers for b in loader.epoch(n)]).tolist()) for n in (0, 1)]
    assert ones[0] != ones[1]


def test_a_reader_whose_only_click_is_shown_has_nothing_to_find_and_a_loss_of_zero(corpus):
    first = np.unique(corpus.log.clicks.offsets[:-1])
    alone = dataclasses.replace(corpus, split=dataclasses.replace(corpus.split, train=first))
    config = LoaderConfig(sample="readers", batch_size=1)
    totals = [float(b.weights.sum()) for b in Loader(alone, config, max_history=6, seed=3).epoch(0)]
    assert set(totals) == {0.0, 1.0}
