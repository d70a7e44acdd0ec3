"""Task specs → MuJoCo scenes → demonstrations and rollouts, drawn by EGL unless MUJOCO_GL says otherwise."""

import os

BACKENDS = {"egl": "libegl1 and a driver", "osmesa": "libosmesa6", "glfw": "a display"}


def no_gl(fault: object) -> ValueError:
    """The one line for a machine on which MUJOCO_GL's library cannot be had."""
    choices = ", ".join(f"{name} (needs {need})" for name, need in BACKENDS.items())
    return ValueError(f"cannot draw pictures with MUJOCO_GL={os.environ['MUJOCO_GL']!r}: {fault}; choices: {choices}")


# Mesa's software renderer: no threads of its own for pictures this small, the cores have work already (20 % less time).
os.environ.setdefault("LP_NUM_THREADS", "0")
if not os.environ.get("MUJOCO_GL"):
    os.environ["MUJOCO_GL"] = "egl"
try:
    import mujoco  # noqa: F401  loads the GL library, once, and by what MUJOCO_GL says at this moment
except ModuleNotFoundError:
    raise
except (ImportError, AttributeError, OSError, RuntimeError) as error:  # PyOpenGL's ways to say that a library is absent
    raise no_gl(error) from error
