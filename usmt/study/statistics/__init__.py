"""From the scores of a study to what follows from them.

The method: docs/explanation/statistics.md.
"""

from usmt.study.statistics.analyse import analyse
from usmt.study.statistics.means import paper_mean

__all__ = ["analyse", "paper_mean"]
