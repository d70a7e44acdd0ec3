"""Task specs → MuJoCo scenes → demonstrations and rollouts, drawn by EGL unless MUJOCO_GL says otherwise."""

import os

os.environ.setdefault("MUJOCO_GL", "egl")  # read once by MuJoCo, when it is imported
