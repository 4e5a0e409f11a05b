from dataclasses import replace

import numpy as np
import pytest

from recsys.errors import CheckpointError, DataError
from recsys.ranker.bundle import Bundle, Catalogue, Readers, load, model_hash, save
from tests.ranker import worlds


def same(left, right):
    for name, value in vars(left).items():
        np.testing.assert_array_equal(value, getattr(right, name))


def changed(bundle, **manifest):
    return replace(bundle, manifest=bundle.manifest.model_copy(update=manifest))


def test_a_saved_bundle_loads_as_it_was(tmp_path):
    bundle = worlds.bundle()
    save(bundle, tmp_path / "bundle")
    found = load(tmp_path / "bundle")
    same(found.catalogue, bundle.catalogue)
    same(found.readers, bundle.readers)
    assert (found.manifest, found.encoder) == (bundle.manifest, bundle.encoder)


def test_strange_ids_survive(tmp_path):
    news = worlds.catalogue(np.ones((3, 4)), ids=["", "a:b\n", "新聞 🗞"])
    assert Catalogue.from_bytes(news.to_bytes()).ids == news.ids


def test_an_empty_catalogue_survives():
    news = worlds.catalogue(np.ones((0, 4)))
    assert Catalogue.from_bytes(news.to_bytes()).vectors.shape == (0, 4)


def test_saving_replaces_what_stood_there(tmp_path):
    save(worlds.bundle(num_news=6), tmp_path / "bundle")
    save(worlds.bundle(num_news=7), tmp_path / "bundle")
    assert len(load(tmp_path / "bundle").catalogue.ids) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_bundle_holds_four_files_and_no_attribute(tmp_path):
    save(worlds.bundle(), tmp_path / "bundle")
    assert sorted(path.name for path in (tmp_path / "bundle").iterdir()) == [
        "encoder.safetensors",
        "manifest.json",
        "news.safetensors",
        "readers.safetensors",
    ]


def test_what_does_not_fit_is_not_written(tmp_path):
    with pytest.raises(CheckpointError, match=r"news\.safetensors: 6 ids, but .* says 5"):
        save(changed(worlds.bundle(), num_news=5), tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["manifest.json", "news.safetensors", "readers.safetensors", "encoder.safetensors"]
)
def test_a_missing_file_is_named(tmp_path, name):
    save(worlds.bundle(), tmp_path / "bundle")
    (tmp_path / "bundle" / name).unlink()
    with pytest.raises(CheckpointError, match=f"bundle/{name}: No such file"):
        load(tmp_path / "bundle")


@pytest.mark.parametrize("name", ["news.safetensors", "readers.safetensors"])
def test_a_cut_file_is_named(tmp_path, name):
    save(worlds.bundle(), tmp_path / "bundle")
    path = tmp_path / "bundle" / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match=f"bundle/{name}: damaged"):
        load(tmp_path / "bundle")


def test_a_wrong_manifest_field_is_named(tmp_path):
    save(worlds.bundle(), tmp_path / "bundle")
    path = tmp_path / "bundle" / "manifest.json"
    path.write_text(path.read_text().replace('"dim": 4', '"dim": "many"'))
    with pytest.raises(CheckpointError, match=r"manifest\.json: dim: .*integer"):
        load(tmp_path / "bundle")


def test_weights_of_another_model_are_refused(tmp_path):
    save(worlds.bundle(), tmp_path / "bundle")
    (tmp_path / "bundle" / "encoder.safetensors").write_bytes(worlds.bundle(seed=1).encoder)
    with pytest.raises(CheckpointError, match=r"not of one model"):
        load(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_readers": 2}, r"readers\.safetensors: 3 ids, but"),
        ({"dim": 5}, r"news\.safetensors: vectors are float16 of shape \(6, 4\)"),
        ({"model_hash": "00000000"}, "says 00000000"),
    ],
)
def test_counts_dimension_and_hash_are_checked(tmp_path, change, message):
    with pytest.raises(CheckpointError, match=message):
        save(changed(worlds.bundle(), **change), tmp_path)


def test_clicks_must_name_news_of_the_catalogue(tmp_path):
    bundle = worlds.bundle()
    readers = replace(bundle.readers, clicks=np.full(6, 6, np.int32))
    with pytest.raises(CheckpointError, match="rows outside the catalogue"):
        save(replace(bundle, readers=readers), tmp_path)


def test_clicks_must_be_cut_by_their_offsets():
    readers = worlds.bundle().readers
    with pytest.raises(CheckpointError, match="do not cut the clicks"):
        Readers.from_bytes(replace(readers, clicks=readers.clicks[:-1]).to_bytes())


def test_duplicate_ids_are_refused(tmp_path):
    bundle = worlds.bundle()
    news = replace(bundle.catalogue, ids=["n0"] * 6)
    with pytest.raises(CheckpointError, match="stands there twice"):
        save(Bundle(bundle.manifest, news, bundle.readers, bundle.encoder), tmp_path)


def test_vectors_must_be_finite(tmp_path):
    bundle = worlds.bundle()
    vectors = bundle.readers.vectors.copy()
    vectors[0, 0] = np.nan
    with pytest.raises(CheckpointError, match=r"readers\.safetensors: vectors are not all finite"):
        save(replace(bundle, readers=replace(bundle.readers, vectors=vectors)), tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file/bundle: cannot be written: Not a directory"):
        save(worlds.bundle(), tmp_path / "file" / "bundle")


def test_the_hash_depends_on_both_vectors_of_a_news_and_on_weights():
    news = worlds.catalogue(np.ones((2, 2)))
    twice = 2 * news.vectors
    changed = replace(news, vectors=twice), replace(news, read_vectors=twice)
    hashes = {model_hash(one, b"a") for one in (news, *changed)} | {model_hash(news, b"b")}
    assert len(hashes) == 4
    assert all(len(one) == 8 for one in hashes)
