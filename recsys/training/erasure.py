"""Closed-form erasure, fitted on readers and folded into the encoder that is published."""

import torch

from recsys.fairness import erasure
from recsys.training import judge
from recsys.training.corpus import Corpus
from recsys.training.loop import Trainer


def erase(trainer: Trainer, corpus: Corpus, *, max_history: int, device: torch.device) -> None:
    """Make bias-free vectors linearly uncorrelated with what clicks give away (LEACE).

    Fitted on every reader's vector at the end of the training clicks, and on the beliefs about all
    of them: the labels of readers kept for the audit have no part in it. Without beliefs nothing
    changes.
    """
    if not corpus.beliefs.shape[1]:
        return
    news = judge.encode_news(trainer.model, corpus, device)
    readers, ends = judge.training_ends(corpus)
    vectors = judge.encode_readers(
        trainer.model.bias_free,
        news,
        corpus.log,
        readers=readers,
        ends=ends,
        max_history=max_history,
    )
    found = erasure.fit(vectors, corpus.beliefs[readers])
    turn = torch.eye(len(found.mean)) - torch.from_numpy(found.projection).float()
    shift = torch.from_numpy(found.projection @ found.mean).float()
    trainer.model.bias_free.fold(turn.to(device), shift.to(device))
