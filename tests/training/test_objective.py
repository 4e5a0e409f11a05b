import pytest
import torch
from torch.nn.functional import cross_entropy

from recsys.config import build
from recsys.errors import ConfigError
from recsys.losses.adversarial import confusion_loss
from recsys.losses.dependence import explained_by_others
from recsys.losses.orthogonality import cosine_loss, covariance_loss
from recsys.losses.ranking import softmax_loss
from recsys.model.batch import Batch, NewsFeatures
from recsys.model.fairrec import Interest, NewsVectors
from recsys.training.objective import PRESETS, FairnessConfig, Objective


def batch(negatives=(), known=True):
    none = torch.zeros(4, dtype=torch.long)
    return Batch(
        news=NewsFeatures(none, none[:, None], none, none, torch.zeros(4, 0), torch.ones(4)),
        history=torch.zeros(2, 1, dtype=torch.long),
        history_mask=torch.ones(2, 1, dtype=torch.bool),
        candidates=torch.tensor([[0, 1], [2, 3]]),
        candidate_mask=torch.ones(2, 2, dtype=torch.bool),
        clicks=torch.tensor([[1.0, 0.0], [1.0, 0.0]]),
        weights=torch.tensor([[1.0, 0.0], [1.0, 0.0]]),
        negatives=torch.tensor(negatives, dtype=torch.long),
        attributes=torch.tensor([[0], [1]]),
        known=torch.full((2, 1), known),
        audience=torch.zeros(2, 1, dtype=torch.long),
        audience_mask=torch.ones(2, 1, dtype=torch.bool),
        beliefs=torch.tensor([[0.9], [0.2]]),
        readers=torch.tensor([0, 1]),
    )


@pytest.fixture
def interest():
    torch.manual_seed(0)
    read, ranked, *rest = (torch.randn(n, 3, requires_grad=True) for n in (4, 4, 2, 2, 2, 4))
    return Interest(NewsVectors(read, ranked), *rest)


def objective(preset):
    torch.manual_seed(1)
    config = FairnessConfig.model_validate(preset)
    return Objective(3, [2], config, groups=[1])


def test_off_ranks_with_the_bias_free_part_and_has_no_other_loss(interest):
    off = objective("off")
    off.ranking_loss(interest, batch()).backward()
    assert interest.bias_aware.grad is None
    assert off.fairness_losses(interest, interest.bias_aware, batch(), progress=1.0) == {}


def test_paper_ranks_with_the_sum_alone(interest):
    scores = (interest.bias_free + interest.bias_aware) @ interest.news.ranked.T
    shown = batch().candidates
    expected = softmax_loss(scores.gather(1, shown), batch().clicks, batch().candidate_mask)
    torch.testing.assert_close(objective("paper").ranking_loss(interest, batch()), expected)


def test_catalogue_negatives_count_against_every_click_but_never_against_themselves(interest):
    nothing_clicked = torch.zeros(2, 1, dtype=torch.bool)
    all_news = batch(negatives=(0, 1, 2, 3))._replace(history_mask=nothing_clicked)
    scores = interest.bias_free @ interest.news.ranked.T
    expected = -scores.log_softmax(dim=1)[[0, 1], [0, 2]].mean()
    torch.testing.assert_close(objective("off").ranking_loss(interest, all_news), expected)


def test_discriminator_leaves_the_readers_alone(interest):
    objective("default").discriminator_loss(interest.bias_free, batch()).backward()
    assert interest.bias_free.grad is None


def test_adversarial_loss_in_the_paper_is_minus_the_discriminators(interest):
    paper = objective("paper")
    losses = paper.fairness_losses(interest, interest.bias_aware, batch(), progress=1.0)
    weight = paper._config.adversarial
    own = paper.discriminator_loss(interest.bias_free, batch())
    torch.testing.assert_close(losses["adversarial"], -weight * own)


def test_warm_up_begins_without_an_adversary(interest):
    paper = objective("paper")
    losses = paper.fairness_losses(interest, interest.bias_aware, batch(), progress=0.0)
    assert losses["adversarial"] == 0
    assert losses["attribute"] > 0


def test_what_was_clicked_is_not_among_what_a_click_is_compared_with(interest):
    given = batch(negatives=(0, 1, 2, 3))._replace(history=torch.tensor([[1], [3]]))
    scores = (interest.bias_free @ interest.news.ranked.T).detach()
    left = [scores[0, [0, 2, 3]].log_softmax(0)[0], scores[1, [0, 1, 2]].log_softmax(0)[2]]
    given = given._replace(
        candidates=given.candidates[:, :1],
        candidate_mask=given.candidate_mask[:, :1],
        clicks=given.clicks[:, :1],
        weights=given.weights[:, :1],
    )
    found = objective("off").ranking_loss(interest, given)
    torch.testing.assert_close(found.detach(), -torch.stack(left).mean())


@pytest.mark.parametrize("negatives", [(), (1, 3)])
def test_a_click_counts_as_much_as_it_weighs(interest, negatives):
    whole = batch(negatives)
    half = whole._replace(weights=whole.weights / 2)
    losses = [objective("off").ranking_loss(interest, each) for each in (whole, half)]
    torch.testing.assert_close(losses[0], 2 * losses[1])


def test_padding_is_never_compared_with_nor_taken_for_clicked(interest):
    padded = batch(negatives=(0, 1, 2, 3))._replace(
        history=torch.tensor([[3], [1]]),
        history_mask=torch.zeros(2, 1, dtype=torch.bool),
        candidate_mask=torch.tensor([[True, False], [True, False]]),
    )
    scores = (interest.bias_free @ interest.news.ranked.T).detach()
    expected = -scores.log_softmax(dim=1)[[0, 1], [0, 2]].mean()
    found = objective("off").ranking_loss(interest, padded)
    torch.testing.assert_close(found.detach(), expected)


def test_ranking_alone_is_added_as_often_as_is_asked_for(interest):
    both, alone = (
        objective(preset).ranking_loss(interest, batch())
        for preset in ({"bias_free_ranking": 0.0}, "off")
    )
    twice = objective({"bias_free_ranking": 2.0}).ranking_loss(interest, batch())
    torch.testing.assert_close(twice, both + 2 * alone)


def fairness_losses(interest, **settings):
    chosen = objective({"covariance": 1.0, "adversarial": 1.0} | settings)
    return chosen.fairness_losses(interest, interest.bias_aware, batch(), progress=1.0)


@pytest.mark.parametrize(
    "name", ["attribute", "orthogonality", "covariance", "adversarial", "balance"]
)
def test_each_loss_counts_as_much_as_its_setting(interest, name):
    interest = interest._replace(audience=torch.randn(2, 3))
    once, thrice = (fairness_losses(interest, **{name: weight}) for weight in (1.0, 3.0))
    for each, loss in once.items():
        torch.testing.assert_close(thrice[each], (3 if each == name else 1) * loss)


def test_parts_are_held_against_each_other(interest):
    losses = fairness_losses(interest, orthogonality=1.0, covariance=1.0)
    free, aware = interest.bias_free, interest.bias_aware
    torch.testing.assert_close(losses["orthogonality"], cosine_loss(free, aware))
    torch.testing.assert_close(losses["covariance"], covariance_loss(free, aware))


def test_the_charge_is_for_what_the_audience_gives_away(interest):
    audience, beliefs = torch.randn(40, 3), torch.rand(40, 1)
    losses = objective({"balance": 2.0}).fairness_losses(
        interest._replace(audience=audience),
        interest.bias_aware,
        batch()._replace(beliefs=beliefs),
        progress=1.0,
    )
    expected = 2 * explained_by_others(audience, beliefs).clamp(min=0).sum()
    torch.testing.assert_close(losses["balance"], expected)


def test_a_confused_discriminator_is_one_that_guesses_evenly(interest):
    default = objective({"adversarial": 1.0})
    losses = default.fairness_losses(interest, interest.bias_aware, batch(), progress=1.0)
    (guess,) = default.discriminator(interest.bias_free)
    torch.testing.assert_close(losses["adversarial"], confusion_loss(guess, batch().known[:, 0]))


@pytest.mark.parametrize("residual", [True, False])
def test_what_is_left_over_is_learned_without_changing_the_bias_free_part(interest, residual):
    chosen = objective({"residual": residual, "bias_free_ranking": 0.0, "covariance": 1.0})
    losses = chosen.fairness_losses(interest, interest.bias_aware, batch(), progress=1.0)
    parting = losses["orthogonality"] + losses["covariance"]
    (parting + chosen.ranking_loss(interest, batch())).backward()
    assert (interest.bias_free.grad is None) == residual
    assert interest.bias_aware.grad is not None


def test_attributes_are_summed_each_over_those_it_is_known_of(interest):
    torch.manual_seed(1)
    several = Objective(3, [2, 3], FairnessConfig(attribute=1.0), groups=[1])
    told = batch()._replace(
        attributes=torch.tensor([[0, 2], [1, 1]]), known=torch.tensor([[True, False], [True, True]])
    )
    losses = several.fairness_losses(interest, interest.bias_aware, told, progress=1.0)
    gender, age = several.predictor(interest.bias_aware)
    expected = cross_entropy(gender, torch.tensor([0, 1])) + cross_entropy(
        age[1:], torch.tensor([1])
    )
    torch.testing.assert_close(losses["attribute"], expected)


def test_nobody_known_means_no_attribute_losses(interest):
    nobody = batch(known=False)
    losses = objective("paper").fairness_losses(interest, interest.bias_aware, nobody, progress=1.0)
    assert losses["attribute"] == losses["adversarial"] == 0


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_presets_name_is_all_that_is_needed(preset):
    assert FairnessConfig.model_validate(preset).preset == preset


def test_settings_win_over_their_preset():
    config = FairnessConfig.model_validate({"preset": "paper", "adversarial": 2.0})
    assert config.adversarial == 2.0
    assert config.discriminator == ()


def test_a_wrong_preset_names_the_choices():
    with pytest.raises(ConfigError, match=r"fairness.*'off', 'paper' or 'default'"):
        build(FairnessConfig, {"preset": "fair"}, where="fairness")
