"""Hidden states of the k queries in; latent codes or normalised action chunks out: one way a file."""
