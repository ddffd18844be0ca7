# SPDX-License-Identifier: Apache-2.0
"""The generator's parts: `source` and `model` read, `check` judges, the others write."""
