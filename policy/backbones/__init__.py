"""Vision-language networks behind one protocol (policy/backbone.py): one file and one yaml each."""
