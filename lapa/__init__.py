"""The hall: records, shards, manifests, resumable stages, the training door, recipes, the report, the command line."""
