"""An environment's own model and one episode's look in; lamp, cameras, table, robot and clutter changed in place."""

import copy

import mujoco
import numpy as np

from sim_finetune.embodiment import PREFIX, Embodiment
from sim_finetune.nesting import PLACE_TRIES, Disc, fits
from sim_finetune.randomise import TEXTURES, Drawn, Randomise
from sim_finetune.scene import CAMERAS, CLUTTER, CLUTTER_M, look_at
from sim_finetune.spec import TaskSpec

CLUTTER_REGION_M = (-0.12, -0.26, 0.2, 0.26)  # not where small arms stand


def own_model(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy that may be changed; the compiled one is shared by environments."""
    return copy.copy(model)


def change_look(base: mujoco.MjModel, model: mujoco.MjModel, randomise: Randomise, drawn: Drawn) -> None:
    """Make `model` look as drawn. base: the same scene as it was compiled."""
    lamp = base.light("lamp").id
    model.light_pos[lamp] = base.light_pos[lamp] + drawn.lamp_shift_m
    model.light_diffuse[lamp] = base.light_diffuse[lamp] * drawn.lamp_strength
    for name, shift_m in drawn.camera_shift_m.items():
        camera, (pos_m, target_m, _) = model.camera(name).id, CAMERAS[name]
        model.cam_pos[camera] = np.array(pos_m) + shift_m
        model.cam_quat[camera] = look_at(model.cam_pos[camera], np.array(target_m))
    table, floor, share = base.geom("table").id, base.geom("floor").id, randomise.table_colour
    own = np.array(randomise.table_rgb or base.geom_rgba[table, :3])
    model.geom_rgba[table, :3] = (1 - share) * own + share * np.array(drawn.table_rgb)
    model.geom_rgba[floor, :3] = randomise.floor_rgb or base.geom_rgba[floor, :3]
    plain = drawn.table_texture == TEXTURES[0]
    model.geom_matid[table] = -1 if plain else model.material(drawn.table_texture).id
    for body in range(base.nbody):
        if base.body_parentid[body] == 0 and base.body(body).name.startswith(PREFIX):
            model.body_pos[body] = base.body_pos[body] - [0, 0, drawn.table_height_m]


def lowered(embodiment: Embodiment, drawn: Drawn) -> Embodiment:
    """The body as it stands when the table is higher: the workspace's z = 0 stays the table's top."""
    x, y, z = embodiment.base_m
    return embodiment._replace(base_m=[x, y, z - drawn.table_height_m])


def put_clutter(
    spec: TaskSpec, model: mujoco.MjModel, data: mujoco.MjData, drawn: Drawn, rng: np.random.Generator
) -> None:
    """Stand the first things of clutter somewhere clear of the task's objects; ValueError when there is no room."""
    mujoco.mj_kinematics(model, data)
    taken: list[Disc] = [(data.body(thing.name).xpos[:2].copy(), thing.radius_m) for thing in spec.objects]
    for number in range(drawn.clutter):
        half_m = CLUTTER_M[number]
        reach_m = float(np.hypot(half_m[0], half_m[1]))
        for _ in range(PLACE_TRIES):
            xy = rng.uniform(CLUTTER_REGION_M[:2], CLUTTER_REGION_M[2:])
            if fits(xy, reach_m + spec.clearance_m, taken):
                break
        else:
            raise ValueError(f"no room for {drawn.clutter} things of clutter ({spec.name})")
        data.mocap_pos[model.body(f"{CLUTTER}{number}").mocapid[0]] = [*xy, half_m[2]]
        taken.append((xy, reach_m))
