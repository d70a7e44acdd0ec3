"""Fixtures every room's tests share: tiny clip shards and a folder that looks like a finished stage."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MUJOCO_GL", "egl")
