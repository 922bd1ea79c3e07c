"""Scores of a folder of predictions, as the challenge publishes them and as they should be read.

`official` figures are those of the published scorer, to the last digit, with all that it passes
over. `strict` figures leave nothing out. docs/how_to/scoring.md says where they differ.
"""

from __future__ import annotations
