import pytest
import torch

from recsys.model.batch import NewsFeatures
from recsys.model.news_encoder import FeatureSizes, NewsEncoder, NewsEncoderConfig

SIZES = FeatureSizes(words=20, categories=4, subcategories=3, ids=9, document=5)


def features(**given):
    """Two news: the first has everything, the second nothing."""
    defaults = {
        "ids": torch.tensor([3, 0]),
        "tokens": torch.tensor([[4, 7, 0], [0, 0, 0]]),
        "categories": torch.tensor([1, 0]),
        "subcategories": torch.tensor([2, 0]),
        "document": torch.stack([torch.ones(5), torch.zeros(5)]),
        "evenness": torch.ones(2),
    }
    return NewsFeatures(**{**defaults, **given})


def encoder(*views):
    torch.manual_seed(0)
    config = NewsEncoderConfig(views=views, word_dim=8, heads=2, hidden=3)
    return NewsEncoder(8, config, SIZES).eval()


@pytest.mark.parametrize(
    ("view", "change"),
    [
        ("title", {"tokens": torch.tensor([[4, 8, 0], [0, 0, 0]])}),
        ("category", {"categories": torch.tensor([2, 0])}),
        ("subcategory", {"subcategories": torch.tensor([1, 0])}),
        ("document", {"document": torch.zeros(2, 5)}),
        ("id", {"ids": torch.tensor([4, 0])}),
    ],
)
def test_a_view_counts_only_when_it_is_asked_for(view, change):
    for views in [("title", "category", "subcategory", "document", "id"), (view,)]:
        before, after = encoder(*views)(features()), encoder(*views)(features(**change))
        assert not torch.allclose(before[0], after[0])
        torch.testing.assert_close(before[1], after[1])
    others = {"title", "category", "subcategory", "document", "id"} - {view}
    blind = encoder(*sorted(others))
    torch.testing.assert_close(blind(features()), blind(features(**change)))


def test_news_without_text_has_the_vector_of_what_it_has():
    model = encoder("title", "category")
    empty = features(tokens=torch.zeros(2, 3, dtype=torch.long))
    category = model.tables.collection.embeddings["category"].weight
    torch.testing.assert_close(model(empty), model.unknown + category[[1, 0]])


def test_words_behind_padding_change_nothing():
    longer = torch.tensor([[4, 7, 0, 0, 0], [0, 0, 0, 0, 0]])
    model = encoder("title")
    torch.testing.assert_close(model(features()), model(features(tokens=longer)))


def test_data_without_document_vectors_needs_no_projection():
    sizes = SIZES.model_copy(update={"document": 0})
    model = NewsEncoder(8, NewsEncoderConfig(views=("document",), heads=2), sizes)
    vectors = model(features(document=torch.zeros(2, 0)))
    torch.testing.assert_close(vectors, model.unknown.expand(2, -1))
