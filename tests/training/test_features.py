import numpy as np
import pytest

from recsys.model.news_encoder import NewsEncoderConfig
from recsys.training.features import learn_tokenizer
from recsys.training.supply import evenness
from tests.training.conftest import corpus_of


def test_a_word_of_no_training_title_is_read_in_pieces():
    tokenizer = learn_tokenizer(["elections elected"] * 3, NewsEncoderConfig())
    pieces = tokenizer.encode("Election").tokens
    assert "".join(pieces) == "election"
    assert "[UNK]" not in pieces


def test_case_does_not_matter():
    tokenizer = learn_tokenizer(["storm warning"] * 2, NewsEncoderConfig())
    assert tokenizer.encode("STORM").ids == tokenizer.encode("storm").ids


def test_features_stand_in_the_order_of_the_log_and_padding_is_zero(corpus):
    news = corpus.news.features
    row = corpus.log.news_ids.index("n3")
    words = corpus.tokenizer.encode("goal match number 3").ids
    assert news.tokens[row].tolist() == [*words, *[0] * (5 - len(words))][:5]
    assert news.categories[row] == 1 + ["politics", "sport"].index("politics")
    assert 0 not in words


def test_news_that_training_never_saw_share_the_unknown_id(corpus):
    seen = corpus.news.features.ids
    assert set(seen.tolist()) - {0} == set(range(1, corpus.news.sizes.ids))


@pytest.mark.parametrize("name", ["words", "categories", "subcategories", "ids"])
def test_every_feature_fits_its_table(corpus, name):
    column = {"words": "tokens"}.get(name, name)
    assert getattr(corpus.news.features, column).max() < getattr(corpus.news.sizes, name)


def test_supply_is_evened_out_only_where_that_is_wanted(tiny_dataset, tiny_config, corpus):
    assert (corpus.news.features.evenness == 1).all()
    news = tiny_config.model.news.model_copy(update={"even_supply": True})
    model = tiny_config.model.model_copy(update={"news": news})
    evened = corpus_of(tiny_dataset, tiny_config.model_copy(update={"model": model}))
    wanted = evenness(evened.log, evened.news.features.categories.numpy())
    np.testing.assert_array_equal(evened.news.features.evenness.numpy(), wanted)
