"""lapa.report_transfer: what counts as demonstrated, where a setting has demonstrations of its own."""

import json
import shutil

from fake_transfer import fake_transfer
from test_report_transfer import again, arm_of


def test_a_setting_with_demonstrations_of_its_own_has_seen_those_alone(tmp_path):
    run = fake_transfer(tmp_path, settings=("", "in_domain", "human"), per_task=4, more=False, films=0)
    shutil.copytree(run / "demos", run / "human" / "demos")
    manifest = run / "human" / "demos" / "manifest.json"
    facts = json.loads(manifest.read_text())
    facts["config"]["task_hashes"] = facts["config"]["task_hashes"][:3]
    manifest.write_text(json.dumps(facts))
    found = again(run)
    assert arm_of(found, "human", "lapa").seen.episodes == 12 < arm_of(found, "human", "lapa").unseen.episodes
    assert arm_of(found, "in_domain", "lapa").seen.episodes == 72
