"""Raw video in, clip shards and frame pairs out."""
