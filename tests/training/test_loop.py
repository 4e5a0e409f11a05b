from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.errors import CheckpointError, Interrupted
from recsys.losses.dependence import FAINT
from recsys.training import judge
from recsys.training.counterfactual import CounterfactualConfig
from recsys.training.erasure import without_the_faint
from recsys.training.loop import Trainer
from recsys.training.objective import FairnessConfig
from recsys.training.progress import TrainingDiverged, VectorsOverflow
from recsys.training.seen import Seen
from recsys.training.settings import PropensityProvenance, Provenance
from recsys.training.sharding import plain
from tests.training.conftest import corpus_of

pytestmark = pytest.mark.usefixtures("group")


def never(progress, size, loss):
    return False


def trainer_of(corpus, config, folder, cpu):
    return Trainer(corpus, config, folder, cpu)


def weights(trainer):
    return plain(trainer.model.state_dict())


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def finished(corpus, tiny_config, tmp_path_factory, group, cpu):
    trainer = trainer_of(corpus, tiny_config, tmp_path_factory.mktemp("finished"), cpu)
    trainer.run(never)
    return trainer


def fairness(config, **settings):
    return config.model_copy(update={"fairness": FairnessConfig.model_validate(settings)})


def rates(config, **settings):
    return config.model_copy(update={"optimizer": config.optimizer.model_copy(update=settings)})


def test_training_learns_the_topic_of_each_reader(corpus, tiny_config, tmp_path, cpu):
    unconstrained = trainer_of(corpus, fairness(tiny_config, preset="off"), tmp_path, cpu)
    unconstrained.run(never)
    popular = judge.answer_by_popularity(corpus.log, corpus.split.test, corpus.split.train)
    ours = unconstrained.ask(corpus.split.test)
    assert np.nanmean(ours) > 0.99 > np.nanmean(popular) + 0.1


@pytest.mark.parametrize("apart", [False, True])
def test_news_are_ranked_by_what_is_charged_for_unless_they_are_read_apart(
    apart, corpus, tiny_config, tmp_path, cpu
):
    topics = tiny_config.model.news.model_copy(update={"views": ("category", "id")})
    model = tiny_config.model.model_copy(update={"read_apart": apart, "news": topics})
    trainer = trainer_of(corpus, tiny_config.model_copy(update={"model": model}), tmp_path, cpu)
    before = judge.encode_news(trainer.model, corpus)
    batch = next(trainer.loader.epoch(0))
    trainer.model(batch).audience.sum().backward()  # tables are updated on the way
    after = judge.encode_news(trainer.model, corpus)
    assert not torch.equal(after.read, before.read)
    assert torch.equal(after.ranked, before.ranked) == apart


def started(view, corpus, config, tmp_path, cpu, *, apart):
    """Start a view of news; return it as it is read and as it is ranked, a row each news."""
    model = config.model.model_copy(update={"read_apart": apart})
    trainer = trainer_of(corpus, config.model_copy(update={"model": model}), tmp_path, cpu)
    features = corpus.news.features
    table = trainer.model.news_encoder.tables.collection.embeddings[view].weight
    return trainer.model.sides(table[features.table_rows[view]], features.evenness)


@pytest.mark.parametrize("view", ["category", "id"])
def test_a_warm_start_ranks_news_as_they_are_read(view, corpus, tiny_config, tmp_path, cpu):
    believing = started(view, corpus, tiny_config, tmp_path, cpu, apart=False)
    torch.testing.assert_close(*believing)
    off = fairness(tiny_config, decomposed=False)
    torch.testing.assert_close(*started(view, corpus, off, tmp_path, cpu, apart=True))


@pytest.mark.parametrize(("view", "apart"), [("category", True), ("id", True), ("id", False)])
@pytest.mark.parametrize("least", [1.0, 0.3])
def test_what_is_read_starts_without_what_is_believed_of_readers(
    least, view, apart, corpus, tiny_config, tmp_path, cpu
):
    counts = torch.linspace(least, 1, len(corpus.log.news_ids))
    features = corpus.news.features._replace(evenness=counts)
    corpus = replace(corpus, news=replace(corpus.news, features=features))
    read, ranked = started(view, corpus, tiny_config, tmp_path, cpu, apart=apart)
    train, readers = corpus.split.train, corpus.log.reader_of_click
    clicked = np.zeros((len(corpus.log.user_ids), len(corpus.log.news_ids)))
    np.add.at(clicked, (readers[train], corpus.log.clicks.news[train]), 1)
    known = corpus.beliefs - corpus.beliefs.mean(axis=0)
    often = clicked @ counts.numpy()
    told = [
        known.T @ (clicked @ side.detach().numpy() / often[:, None] ** 0.5)
        for side in (read, ranked)
    ]
    assert np.abs(told[0]).max() < 1e-3
    assert np.abs(told[1]).max() > 0.1 or not apart


@pytest.mark.parametrize(("preset", "computed"), [("off", False), ("default", True)])
def test_the_bias_aware_part_is_computed_only_where_there_is_one(
    preset, computed, corpus, tiny_config, tmp_path, cpu
):
    trainer = trainer_of(corpus, fairness(tiny_config, preset=preset), tmp_path, cpu)
    interest = trainer.model(next(trainer.loader.epoch(0)))
    assert bool(interest.bias_aware.any()) == bool(interest.aside.any()) == computed


@pytest.mark.parametrize(("balance", "listeners"), [(0.05, 40), (0.0, 0)])
def test_an_audience_is_encoded_only_where_it_is_charged_for(
    balance, listeners, corpus, tiny_config, tmp_path, cpu
):
    erasing = fairness(tiny_config, balance=balance, erase=True)
    trainer = trainer_of(corpus, erasing, tmp_path, cpu)
    assert len(next(trainer.loader.epoch(0)).audience) == listeners


def test_erasure_leaves_nothing_linear_of_what_clicks_give_away(corpus, tiny_config, tmp_path, cpu):
    trainer = trainer_of(corpus, fairness(tiny_config, erase=True), tmp_path, cpu)
    trainer.run(never)
    readers, vectors = judge.encode_everybody(trainer.model, corpus, tiny_config.model)
    centred = vectors - vectors.mean(axis=0)
    beliefs = corpus.beliefs[readers] - corpus.beliefs[readers].mean(axis=0)
    assert beliefs.std() > 0.1
    np.testing.assert_allclose(centred.T @ beliefs / len(readers), 0, atol=1e-3)


def test_the_same_seed_gives_the_same_weights(finished, corpus, tiny_config, tmp_path, cpu):
    again = trainer_of(corpus, tiny_config, tmp_path / "again", cpu)
    again.run(never)
    assert same(weights(finished), weights(again))
    assert finished.progress.history == again.progress.history


def test_another_seed_gives_other_weights(finished, corpus, tiny_config, tmp_path, cpu):
    other = tiny_config.model_copy(update={"seed": 7})
    again = trainer_of(corpus, other, tmp_path / "other", cpu)
    assert not same(weights(finished), weights(again))


@pytest.mark.parametrize("stop_at", [(0, 2), (1, 0), (2, 1)])
def test_an_interrupted_run_ends_as_if_it_had_never_stopped(
    finished, corpus, tiny_config, tmp_path, cpu, stop_at
):
    def stop(progress, size, loss):
        return (progress.epoch, progress.step) == (stop_at[0], stop_at[1] + 1)

    with pytest.raises(Interrupted):
        trainer_of(corpus, tiny_config, tmp_path / "cut", cpu).run(stop)
    resumed = trainer_of(corpus, tiny_config, tmp_path / "cut", cpu)
    resumed.resume()
    resumed.run(never)
    assert same(weights(finished), weights(resumed))
    assert finished.progress.history == resumed.progress.history


def cut_and_resumed(corpus, config, folder, cpu):
    """A run that was stopped in its second epoch and gone on with."""
    with pytest.raises(Interrupted):
        trainer_of(corpus, config, folder, cpu).run(
            lambda progress, *_: (progress.epoch, progress.step) == (1, 2)
        )
    resumed = trainer_of(corpus, config, folder, cpu)
    resumed.resume()
    resumed.run(never)
    return resumed


def test_an_interrupted_run_with_averaged_weights_ends_as_if_it_had_never_stopped(
    corpus, tiny_config, tmp_path, cpu
):
    averaging = rates(tiny_config, average_steps=5)
    whole = trainer_of(corpus, averaging, tmp_path / "whole", cpu)
    whole.run(never)
    resumed = cut_and_resumed(corpus, averaging, tmp_path / "cut", cpu)
    assert same(weights(whole), weights(resumed))


def test_the_weights_that_are_kept_are_the_mean_of_the_last_steps(
    corpus, tiny_config, tmp_path, cpu
):
    seen = []
    averaging = rates(tiny_config, average_steps=1000, warm_start=False, max_epochs=1)
    trainer = trainer_of(corpus, averaging, tmp_path, cpu)
    trainer.run(lambda *_: seen.append(weights(trainer)))
    learned = dict(trainer.model.named_parameters())
    for name, kept in weights(trainer).items():
        if name not in learned:
            continue  # what is put behind them, to leave faint directions out
        mean = torch.stack([each[name] for each in seen]).mean(dim=0)
        torch.testing.assert_close(kept, mean)


def test_what_is_published_varies_in_no_faint_direction(corpus, tiny_config, tmp_path, cpu):
    trainer = trainer_of(corpus, tiny_config, tmp_path, cpu)
    encoder = trainer.model.bias_free
    with torch.no_grad():  # as a charge may leave it
        encoder.encode.join.weight[:, 0] *= 1e-3
    _, as_learned = judge.encode_everybody(trainer.model, corpus, tiny_config.model)
    with without_the_faint(trainer.model, corpus, tiny_config.model):
        _, published = judge.encode_everybody(trainer.model, corpus, tiny_config.model)
    spread = np.linalg.eigvalsh(np.cov(published, rowvar=False))
    rounding = 1e-5 * spread.mean()
    assert ((spread < rounding) | (spread > 0.9 * FAINT * spread.mean())).all()
    assert (spread < rounding).any()
    _, afterwards = judge.encode_everybody(trainer.model, corpus, tiny_config.model)
    np.testing.assert_array_equal(afterwards, as_learned)


def test_a_checkpoint_of_other_settings_is_refused(finished, corpus, tiny_config, cpu):
    other = tiny_config.model_copy(update={"seed": 7})
    with pytest.raises(CheckpointError, match="other settings"):
        trainer_of(corpus, other, finished._folder, cpu).resume()


def test_a_checkpoint_of_other_data_is_refused(finished, tiny_dataset, tiny_config, cpu):
    news = tiny_config.model.news.model_copy(update={"vocabulary": 30})
    model = tiny_config.model.model_copy(update={"news": news})
    smaller = corpus_of(tiny_dataset, tiny_config.model_copy(update={"model": model}))
    with pytest.raises(CheckpointError, match="another model or data"):
        trainer_of(smaller, tiny_config, finished._folder, cpu).resume()


def test_a_checkpoint_of_data_that_has_changed_is_refused(finished, corpus, tiny_config, cpu):
    grown = Provenance(git_revision="", dataset="", dataset_sha256={"news.parquet": "1"}, torch="")
    config = tiny_config.model_copy(update={"provenance": grown})
    with pytest.raises(CheckpointError, match="other data"):
        trainer_of(corpus, config, finished._folder, cpu).resume()


def weighed(corpus, config, *, estimator="dr", seed=0):
    """A corpus of clicks seen by chance, and its settings."""
    rng = np.random.default_rng(seed)
    propensity = rng.uniform(0.05, 1, len(corpus.log.shown.news)).astype(np.float32)
    seen = Seen(
        propensity, 1 / propensity, np.full_like(propensity, 0.3), f"{seed:064}", ("em",), 0.2
    )
    counterfactual = CounterfactualConfig(estimator=estimator, clip=0.5)
    origin = PropensityProvenance(folder="x", methods=seen.methods, sha256=seen.sha256)
    provenance = Provenance(
        git_revision="", dataset="", dataset_sha256={}, torch="", propensity=origin
    )
    changed = {"counterfactual": counterfactual, "provenance": provenance}
    return corpus.weighed(seen, counterfactual), config.model_copy(update=changed)


def test_an_interrupted_weighted_run_ends_as_if_it_had_never_stopped(
    corpus, tiny_config, tmp_path, cpu
):
    counted, config = weighed(corpus, tiny_config)
    whole = trainer_of(counted, config, tmp_path / "whole", cpu)
    whole.run(never)
    resumed = cut_and_resumed(counted, config, tmp_path / "cut", cpu)
    assert same(weights(whole), weights(resumed))


def test_a_checkpoint_of_other_weights_is_refused(corpus, tiny_config, tmp_path, cpu):
    counted, config = weighed(corpus, tiny_config)
    trainer_of(counted, config, tmp_path, cpu).save()
    for other in (weighed(corpus, tiny_config, seed=1), (corpus, tiny_config)):
        with pytest.raises(CheckpointError, match=r"propensities|other settings"):
            trainer_of(*other, tmp_path, cpu).resume()


@pytest.mark.parametrize("preset", ["off", "paper", "default"])
@pytest.mark.parametrize("estimator", ["ips", "snips", "dr"])
def test_every_estimator_works_with_every_preset(
    tiny_dataset, tiny_config, tmp_path, cpu, preset, estimator
):
    config = fairness(rates(tiny_config, max_epochs=1), preset=preset)
    counted, config = weighed(corpus_of(tiny_dataset, config), config, estimator=estimator)
    trainer = trainer_of(counted, config, tmp_path, cpu)
    trainer.run(never)
    assert np.isfinite([epoch["loss"] for epoch in trainer.progress.history[1:]]).all()
    assert all(torch.isfinite(value).all() for value in weights(trainer).values())


def test_a_loss_that_is_no_number_stops_and_names_its_term(corpus, tiny_config, tmp_path, cpu):
    trainer = trainer_of(corpus, rates(tiny_config, warm_start=False), tmp_path, cpu)
    with torch.no_grad():
        trainer.model.bias_free.encode.join.weight.fill_(torch.nan)
    with pytest.raises(TrainingDiverged, match=r"epoch 1, step 1 .*ranking"):
        trainer.run(never)


@pytest.mark.parametrize("preset", ["off", "default"])
def test_vectors_too_large_to_be_served_stop_before_they_are_judged(
    corpus, tiny_config, tmp_path, cpu, preset
):
    fairness = type(tiny_config.fairness).model_validate(preset)
    config = rates(tiny_config, table_learning_rate=1e6).model_copy(update={"fairness": fairness})
    with pytest.raises(VectorsOverflow, match="float16"):
        trainer_of(corpus, config, tmp_path, cpu).run(never)


@pytest.mark.parametrize("preset", ["off", "paper"])
def test_every_preset_trains(corpus, tiny_config, tmp_path, cpu, preset):
    fairness = type(tiny_config.fairness).model_validate(preset)
    config = rates(tiny_config, max_epochs=1).model_copy(update={"fairness": fairness})
    trainer = trainer_of(corpus, config, tmp_path, cpu)
    trainer.run(never)
    assert [epoch["epoch"] for epoch in trainer.progress.history] == [0, 1]


def test_a_warm_start_that_training_spoils_is_what_is_kept(corpus, tiny_config, tmp_path, cpu):
    spoiling = rates(tiny_config, learning_rate=3.0, table_learning_rate=30.0, patience=2)
    off = fairness(spoiling, decomposed=False)
    trainer = trainer_of(corpus, off, tmp_path, cpu)
    start = {name: value.clone() for name, value in weights(trainer).items()}
    trainer.run(never)
    assert (trainer.progress.best_epoch, trainer.progress.epoch) == (0, 2)
    for name, value in weights(trainer).items():
        torch.testing.assert_close(value, start[name])


def test_a_random_start_is_not_among_the_epochs(corpus, tiny_config, tmp_path, cpu):
    trainer = trainer_of(corpus, rates(tiny_config, warm_start=False), tmp_path, cpu)
    trainer.run(never)
    assert trainer.progress.history[0]["epoch"] == 1
