"""What may happen around a release between freeze and completion, at every moment at which it may matter."""

from __future__ import annotations

import pytest

from tests.faults.definition import FREEZE
from tests.faults.matrix import Recorder
from tests.faults.situations import DRAIN, SITUATIONS, Situation
from tests.faults.stage import Stage

AT_ONCE = ("superuser session", "idle in transaction", "lock held on blue", "client reconnects in a tight loop")
"""What leaves the release on its way can happen in one."""

IN_SHORT = {
    ("green restarts", DRAIN),
    ("blue restarts", "VerifyCutover"),
    ("Lambda and blue cut, comes back", "SyncSequences"),
    ("Lambda and green cut for good", DRAIN),
    ("green and blue cut for good", DRAIN),
    ("slot dropped", DRAIN),
    ("subscriber conflict", FREEZE),
    ("DNS change refused", "FlipDns"),
    ("prepared transaction", FREEZE),
    ("lock held on green", DRAIN),
    ("role created during the freeze", "VerifyCutover"),
}

CASES = [
    pytest.param(
        situation,
        moment,
        id=f"{situation.name} before {moment}",
        marks=[] if (situation.name, moment) in IN_SHORT else pytest.mark.whole,
    )
    for situation in SITUATIONS
    for moment in situation.moments
]


@pytest.mark.parametrize(("situation", "moment"), CASES)
def test_a_release_survives_what_happens_around_it(
    stage: Stage, matrix: Recorder, situation: Situation, moment: str
) -> None:
    matrix.happens(situation.name, moment)
    with stage.trial() as trial:
        situation.prepare(trial)
        trial.at(moment, before=lambda: situation.happen(trial))
        trial.run(freeze_budget_s=situation.freeze_budget_s)
        situation.put_right(trial)
        trial.check(situation.ends_on)
        matrix.frozen(trial.frozen_s)


def test_a_release_survives_much_at_once(stage: Stage, matrix: Recorder) -> None:
    for name in AT_ONCE:
        matrix.happens(name, FREEZE)
    matrix.happens("DNS change refused once", "FlipDns")
    by_name = {situation.name: situation for situation in SITUATIONS}
    with stage.trial() as trial:
        trial.at(FREEZE, before=lambda: [by_name[name].happen(trial) for name in AT_ONCE])
        trial.at("FlipDns", before=lambda: by_name["DNS change refused once"].happen(trial))
        trial.run()
        trial.check("green")
        matrix.frozen(trial.frozen_s)
