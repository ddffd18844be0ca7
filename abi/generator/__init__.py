"""The generator's parts: `source` and `model` read, `check` judges, the others write."""
