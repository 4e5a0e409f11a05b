from pipelines.auditing import measures
from pipelines.auditing.evidence import Run
from pipelines.auditing.questions import held_out
from pipelines.auditing.settings import AuditConfig
from recsys.data.dataset import Dataset
from tests.pipelines import audit_world


class Hashed(str):
    """A text whose hash is given, where Python's own differs from process to process."""

    def __new__(cls, text, number=0):
        made = super().__new__(cls, text)
        made.number = number
        return made

    def __hash__(self):
        return self.number


def test_the_same_seed_gives_the_same_intervals_in_every_process(tmp_path):
    world = audit_world.build(tmp_path, leaky=False, num_readers=100)
    dataset = Dataset.open(world.dataset)
    run = Run.load(world.run, dataset)
    events, users = held_out(run, dataset), run.bundle.readers.ids
    trees = [
        measures.groups(
            run,
            events,
            {"gender": [name and Hashed(name, order.index(name)) for name in world.genders]},
            users,
            AuditConfig(num_samples=50),
        )
        for order in ("FM", "MF")
    ]
    assert trees[0] == trees[1]
