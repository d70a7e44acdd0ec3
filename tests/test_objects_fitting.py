"""Things made to fit: ells, blocks and pegs in their slots, rings round pegs; ropes hang together; piles have their count."""

import numpy as np
import pytest
from pydantic import ValidationError
from things import BOX_SLOT, ELL_SLOT, PEG_SLOT, make, on_table, run

FITTING = {
    "ell": ("ell", ELL_SLOT),
    "block": ("block", BOX_SLOT),
    "peg": ("peg", PEG_SLOT),
}


def _drop_over(thing, board, site, yaw_rad):
    """Let `thing` fall onto a board's site, turned by yaw_rad; how far above its seat it ends [m], and how far aside."""
    thing = thing.model_copy(update={"name": "thing"})
    model, data = on_table(thing, board)
    seat = data.site(f"it/{site}").xpos.copy()
    above = [*(seat + [0, 0, thing.rest_height_m + 0.02]), np.cos(yaw_rad / 2), 0, 0, np.sin(yaw_rad / 2)]  # noqa: RUF005
    data.joint("thing").qpos[:] = above
    run(model, data, 1.5)
    offset = data.body("thing").xpos - seat
    return offset[2] - thing.rest_height_m, np.hypot(*offset[:2])


@pytest.mark.parametrize("kind", FITTING)
def test_fits_its_slot_of_a_fixture(kind):
    board = make("fixture", slot=FITTING[kind][1])
    above, aside = _drop_over(make(kind), board, "slot1", 0.0)
    assert above == pytest.approx(0, abs=1e-3)
    assert aside < 0.003


@pytest.mark.parametrize("slot", [1, 2, 3])
def test_each_fits_its_own_slot_of_a_kit(slot):
    kind = ["block", "ell", "peg"][slot - 1]
    above, aside = _drop_over(make(kind), make("kit"), f"slot{slot}", 0.0)
    assert above == pytest.approx(0, abs=1e-3)
    assert aside < 0.003


def test_the_wrong_turn_does_not_fit():
    for kind, yaw in (("ell", np.pi), ("ell", np.pi / 2), ("block", np.pi / 2)):
        above, _ = _drop_over(make(kind), make("fixture", slot=FITTING[kind][1]), "slot1", yaw)
        assert above > 0.008, kind


def test_an_ell_does_not_fit_a_peg_slot():
    above, _ = _drop_over(make("ell"), make("fixture", slot=PEG_SLOT), "slot1", 0.0)
    assert above > 0.008


def test_slots_need_room_in_their_board():
    with pytest.raises(ValidationError, match="slot of"):
        make("fixture", half_extents_m=[0.03, 0.06, 0.006])
    with pytest.raises(ValidationError, match="slot of"):
        make("kit", half_extents_m=[0.05, 0.1, 0.006])


def test_top_of_a_fixture_is_the_floor_of_its_slot():
    _, data = on_table(make("fixture"))
    assert data.site("it/top").xpos == pytest.approx([0, 0, 0])
    assert data.site("it/slot1").xpos == pytest.approx([0, 0, 0])


def test_a_ring_falls_over_a_peg():
    peg, ring = make("peg", size_m=[0.012, 0.03]), make("ring", name="ring")
    model, data = on_table(peg, ring)
    data.joint("ring").qpos[2] = 0.08
    run(model, data, 1.5)
    assert data.body("ring").xpos[2] == pytest.approx(ring.rest_height_m, abs=1e-3)
    assert np.hypot(*(data.body("ring").xpos - data.body("it").xpos)[:2]) < 0.027


def test_a_ring_rests_on_the_foot_of_a_post():
    post, ring = make("post"), make("ring", name="ring")
    model, data = on_table(post, ring)
    data.joint("ring").qpos[:3] = [0.01, 0.005, 0.08]
    run(model, data, 1.5)
    assert data.body("ring").xpos[2] - ring.rest_height_m == pytest.approx(data.site("it/top").xpos[2], abs=1e-3)
    assert np.hypot(*data.body("ring").xpos[:2]) < 0.02


@pytest.mark.parametrize("size", [[0.008, 0.2], [0.015, 0.08], [0.004, 0.25]])
def test_a_rope_hangs_together_when_one_end_is_pulled(size):
    rope = make("rope", size_m=size)
    model, data = on_table(rope)
    start, end = data.site("it/start"), data.site("it/end")
    assert np.linalg.norm(end.xpos - start.xpos) == pytest.approx(2 * size[1])
    assert data.ncon == 0 or min(contact.geom.min() for contact in data.contact) == 0  # only on the table
    body = model.site_bodyid[end.id]
    data.xfrc_applied[body, :3] = [0.0, 1.0 * model.body_subtreemass[1] * 9.81, 0.0]
    run(model, data, 1.0)
    data.xfrc_applied[:] = 0
    run(model, data, 1.0)
    links = data.xpos[1:]
    assert np.isfinite(links).all()
    assert end.xpos[1] > 0.02
    assert start.xpos[1] < end.xpos[1]
    assert np.linalg.norm(end.xpos - start.xpos) < 2 * size[1] + 1e-6
    assert links[:, 2].max() < 3 * size[0]


def test_a_pile_has_its_count_and_every_grain_moves_freely():
    pile = make("pile")
    model, data = on_table(pile)
    grains = [model.body(f"it/{i + 1}").id for i in range(pile.count)]
    assert model.nbody == 2 + pile.count  # the world, the pile's own, the grains
    spread = data.xpos[grains].copy()
    assert len(np.unique(spread.round(6), axis=0)) == pile.count
    data.mocap_pos[0] = [0.1, 0.05, pile.rest_height_m]
    run(model, data, 0.5)
    assert data.xpos[grains] == pytest.approx(spread + np.array([0.1, 0.05, 0]), abs=1e-3)
    data.xfrc_applied[grains[0], :3] = [0, 0, 0.1]  # the others stay when one is lifted
    run(model, data, 0.3)
    assert data.xpos[grains[0], 2] > 0.05
    assert data.xpos[grains[1:], 2].max() < 0.01
