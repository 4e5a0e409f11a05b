"""Closed-form erasure, fitted on readers and folded into the encoder that is published."""

import torch

from recsys.fairness import erasure
from recsys.model.fairrec import FairRec, ModelConfig
from recsys.training import judge
from recsys.training.corpus import Corpus


def erase(model: FairRec, corpus: Corpus, config: ModelConfig) -> None:
    """Make bias-free vectors linearly uncorrelated with what clicks give away (LEACE).

    What was erased before is put back first: the encoder has learned since. Fitted on every
    reader's vector at the end of the training clicks, and on the beliefs about all of them: the
    labels of readers kept for the audit have no part in it. Without beliefs nothing changes.
    """
    if not corpus.beliefs.shape[1]:
        return
    model.bias_free.unfold()
    readers, vectors = judge.encode_everybody(model, corpus, config)
    found = erasure.fit(vectors, corpus.beliefs[readers])
    turn = torch.eye(len(found.mean)) - torch.from_numpy(found.projection).float()
    shift = torch.from_numpy(found.projection @ found.mean).float()
    device = model.bias_free.turn.device
    model.bias_free.fold(turn.to(device), shift.to(device))
