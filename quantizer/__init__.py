"""Frame pairs in, discrete latent actions out: the model, its training module, the labelling door and its report card."""
