import pytest

from recsys.model.news_encoder import NewsEncoderConfig
from recsys.training.features import learn_tokenizer


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
