from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from recsys.errors import DataError
from recsys.propensity.estimate import KernelConfig
from recsys.training.ratings.fold import Fold, as_tensors
from recsys.training.ratings.imputation import ImputationConfig
from recsys.training.ratings.loop import LoopConfig
from recsys.training.ratings.methods import Method, MethodsConfig
from recsys.training.ratings.study import Study
from recsys.training.ratings.trainer import RecommenderDiverged, Trainer
from tests.training.ratings.chosen import table

CONFIG = MethodsConfig(
    loop=LoopConfig(max_epochs=3, batch=500),
    kernel=KernelConfig(functions=8, candidates=32),
    reweigh_epochs=2,
)
EVERY = [
    *("naive", "wmf", "expomf", "rel-mf", "ips:popularity", "ips:naive-bayes", "ips:logistic"),
    *("ips:factorised", "ips:kernel-random", "ips:kernel-worst-case", "ips:kernel-adaptive"),
    *("imputation", "dr", "dr:naive-bayes", "dr:kernel-random", "dr:kernel-adaptive"),
    *("naive+exposure", "dr:kernel-adaptive+exposure"),
    *("naive+content", "ips:kernel-adaptive+exposure+content"),
]
CONTENT = np.eye(50, 5, dtype=np.float32)


@pytest.mark.parametrize("name", EVERY)
def test_no_method_reads_a_test_rating(name, honest, poisoned):
    pairs = as_tensors(honest.study.test.pairs)
    assert not np.array_equal(honest.study.test.values, poisoned.study.test.values)
    scores = []
    for data in (honest, poisoned):
        recommender, validation = Trainer(data, CONFIG, CONTENT).train(Method.parse(name), 0.01)
        scores.append((recommender.predict(*pairs), validation))
    assert torch.equal(scores[0][0], scores[1][0])
    assert scores[0][1] == scores[1][1]


@pytest.mark.parametrize("name", ["naive", "expomf"])
def test_the_best_epoch_by_the_auc_of_validation_ratings_is_kept(name, honest):
    loop = LoopConfig(max_epochs=8, batch=500, lr=0.5)
    trainer = Trainer(honest, CONFIG.model_copy(update={"loop": loop}))
    validated = []

    def noted(recommender):
        validated.append(Trainer._validate(trainer, recommender))
        return validated[-1]

    trainer._validate = noted
    recommender, best = trainer.train(Method.parse(name), 0.01)
    held = honest.validation
    expected = roc_auc_score(held.values >= 3, recommender.predict(*as_tensors(held.pairs)))
    assert best == max(validated) == pytest.approx(expected)
    assert min(validated) < best


def test_scores_that_are_no_numbers_are_refused(honest):
    trainer = Trainer(honest, CONFIG)
    recommender, _ = trainer.train(Method.parse("naive"), 0.01)
    with torch.no_grad():
        recommender.intercept.fill_(torch.nan)
    with pytest.raises(RecommenderDiverged):
        trainer._validate(recommender)


def test_propensities_are_raised_to_the_floor(honest):
    trainer = Trainer(honest, CONFIG.model_copy(update={"floor": 0.9}))
    weights = trainer._weights("popularity")
    assert weights.max() == pytest.approx(weights.min() / 0.9)
    propensities = trainer._relevance_propensities()
    assert propensities.min().item() == pytest.approx(0.9)
    assert propensities.max() == 1


def test_pairs_without_a_positive_weigh_what_is_asked_for_in_wmf_alone(honest):
    trainer = Trainer(honest, CONFIG.model_copy(update={"unlabelled": 0.2}))
    made = {
        name: trainer._objective(Method.parse(name), 0.0, torch.Generator())
        for name in ("wmf", "rel-mf")
    }
    assert {name: each.unlabelled for name, each in made.items()} == {"wmf": 0.2, "rel-mf": 1.0}


def test_adaptive_weights_change_while_the_recommender_learns(honest):
    trainer = Trainer(honest, CONFIG)
    method = Method.parse("ips:kernel-adaptive")
    objective = trainer._objective(method, 0.01, torch.Generator().manual_seed(0))
    ratings = trainer._ratings(method)
    reweigh = trainer._reweigh(method, objective.recommender, ratings)
    assert reweigh(0) is None
    assert reweigh(1) is None
    assert not torch.allclose(reweigh(2), ratings.weights)


def test_content_lets_a_news_without_ratings_be_told_from_others():
    frame = table().assign(value=lambda rated: np.where(rated["news_id"].astype(int) % 2, 5, 1))
    study = Study.of(frame, calibration=0.2, rng=np.random.default_rng(0))
    new = np.isin(study.news, ["10", "11"])
    learned = study.chosen.take(~new[study.chosen.pairs.news])
    fold = Fold.draw(replace(study, chosen=learned), seed=0)
    odd = study.news.astype(int).to_numpy() % 2
    content = np.stack([odd, 1 - odd], axis=1).astype(np.float32)
    config = MethodsConfig(loop=LoopConfig(max_epochs=20, batch=500))
    pairs = torch.zeros(2, dtype=torch.long), torch.from_numpy(new.nonzero()[0])

    def told_apart(name):
        recommender, _ = Trainer(fold, config, content).train(Method.parse(name), 0.01)
        disliked, liked = recommender.predict(*pairs).tolist()
        return liked - disliked

    assert told_apart("naive+content") > 0.5
    assert abs(told_apart("naive")) < 0.2


def test_content_is_refused_where_nothing_tells_news_apart(honest):
    with pytest.raises(DataError, match="tells news apart"):
        Trainer(honest, CONFIG, CONTENT[:, :0]).train(Method.parse("naive+content"), 0.01)


def flipped(fold):
    """The same fold with every validation rating turned round."""
    held = replace(fold.validation, values=6 - fold.validation.values)
    return replace(fold, validation=held)


def test_the_imputation_and_its_targeting_read_no_validation_rating(honest):
    method, pairs = Method.parse("dr:kernel-adaptive"), as_tensors(honest.study.test.pairs)
    found = [Trainer(each, CONFIG, CONTENT)._labels(method) for each in (honest, flipped(honest))]
    assert torch.equal(found[0](*pairs), found[1](*pairs))


def test_the_imputation_with_the_least_loss_of_ratings_left_out_is_targeted(honest):
    config = CONFIG.model_copy(
        update={"imputation": ImputationConfig(penalties=(0.001, 10.0, 0.05))}
    )
    trainer = Trainer(honest, config)
    chosen = trainer._labels(Method.parse("dr")).imputation
    labels = torch.from_numpy(honest.training.labels(3.0)).float()
    losses = {penalty: one.loss(labels) for penalty, one in trainer._imputations.items()}
    assert len(losses) == 3
    assert chosen.loss(labels) == min(losses.values())


def parity():
    """Even news are disliked, odd ones liked; with a content that tells, and one that does not."""
    frame = table().assign(value=lambda rated: np.where(rated["news_id"].astype(int) % 2, 5, 1))
    study = Study.of(frame, calibration=0.2, rng=np.random.default_rng(0))
    odd = study.news.astype(int).to_numpy() % 2
    told = np.stack([odd, 1 - odd], axis=1).astype(np.float32)
    return Fold.draw(study, seed=0), told, np.random.default_rng(0).permutation(told)


def test_the_imputation_is_given_what_lowers_its_loss_and_the_recommender_only_ids():
    fold, told, noise = parity()
    for content, columns in ((told, 2), (noise, 0)):
        trainer = Trainer(fold, CONFIG, content)
        recommender, _ = trainer.train(Method.parse("dr:popularity"), 0.01)
        imputing = trainer._labels(Method.parse("dr:popularity")).imputation.models
        assert {model.content.shape[1] for model in imputing} == {columns}
        assert recommender.content.shape[1] == recommender.exposed_news.shape[1] == 0


def test_an_imputation_that_is_no_number_is_refused(honest):
    config = CONFIG.model_copy(update={"loop": LoopConfig(max_epochs=3, lr=1e30)})
    with pytest.raises(RecommenderDiverged):
        Trainer(honest, config).train(Method.parse("dr:kernel-adaptive"), 0.01)


def world(seed):
    """Ratings of low rank, chosen with a known propensity that grows with the liking."""
    rng = np.random.default_rng(seed)
    readers, news = np.divmod(np.arange(120 * 90), 90)
    appeal = rng.normal(size=90)
    taste = rng.normal(size=(120, 2)) @ rng.normal(size=(2, 90)) + appeal
    value = np.clip(np.round(3 + taste[readers, news]), 1, 5)
    chosen = rng.random(len(news)) < 0.03 + 0.04 * value
    by_chance = ~chosen & (rng.random(len(news)) < 0.3)
    columns = {"user_id": readers.astype(str), "news_id": news.astype(str)}
    rated = pd.DataFrame(columns | {"value": value.astype(np.float32), "randomised": by_chance})
    return rated[chosen | by_chance].reset_index(drop=True)


def chosen_auc(trainer, name):
    """Test AUC at the penalty that validation prefers."""
    study = trainer.fold.study
    tried = [trainer.train(Method.parse(name), penalty) for penalty in (0.01, 0.03)]
    recommender, _ = max(tried, key=lambda found: found[1])
    scores = recommender.predict(*as_tensors(study.test.pairs))
    return roc_auc_score(study.test.labels(3.0), scores)


def test_doubly_robust_training_costs_little_where_ids_tell_all():
    gains = []
    for seed in range(2):
        study = Study.of(world(seed), calibration=0.1, rng=np.random.default_rng(seed))
        config = MethodsConfig(imputation=ImputationConfig(penalties=(0.03,)))
        trainer = Trainer(Fold.draw(study, seed), config)
        gains.append(chosen_auc(trainer, "dr:naive-bayes") - chosen_auc(trainer, "naive"))
    assert np.mean(gains) > -0.02
