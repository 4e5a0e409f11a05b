"""Closed-form erasure, fitted on readers and folded into the encoder that is published."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from recsys.fairness import erasure
from recsys.losses.dependence import FAINT
from recsys.model.fairrec import FairRec, ModelConfig
from recsys.model.user_encoder import UserEncoder
from recsys.training import judge
from recsys.training.corpus import Corpus


def erase(model: FairRec, corpus: Corpus, config: ModelConfig) -> None:
    """Make bias-free vectors linearly uncorrelated with what clicks give away (LEACE).

    What was erased before is put back first: the encoder has learned since. Fitted on every
    reader's vector at the end of the training clicks, and on the beliefs about all of them: the
    labels of readers kept for the audit have no part in it. Without beliefs nothing changes.
    """
    if not corpus.groups:
        return
    model.bias_free.unfold()
    readers, vectors = judge.encode_everybody(model, corpus, config)
    _fold(model.bias_free, erasure.fit(vectors, corpus.beliefs[readers]))


@contextmanager
def without_the_faint(model: FairRec, corpus: Corpus, config: ModelConfig) -> Iterator[None]:
    """Let bias-free vectors vary only in directions to rank with, and then in all again.

    What the charge does not look at (`recsys.losses.dependence.FAINT`) is not published.
    """
    encoder = model.bias_free
    turn, shift = encoder.turn.clone(), encoder.shift.clone()
    _, vectors = judge.encode_everybody(model, corpus, config)
    _fold(encoder, erasure.faint(vectors, FAINT))
    try:
        yield
    finally:
        encoder.turn.copy_(turn)
        encoder.shift.copy_(shift)


def _fold(encoder: UserEncoder, eraser: erasure.Eraser) -> None:
    """Put an eraser behind what was learned."""
    turn = torch.eye(len(eraser.mean)) - torch.from_numpy(eraser.projection).float()
    shift = torch.from_numpy(eraser.projection @ eraser.mean).float()
    encoder.fold(turn.to(encoder.turn.device), shift.to(encoder.turn.device))
