"""Image + words (+ state) → latent codes → action chunks: training modules, inference, checkpoints."""
