"""What must hold when usmt looks for plugins: their modules are imported by every command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

from usmt.testing.broken_rule import BrokenRuleError
from usmt.testing.other_process import last_words

SLOW = [
    *("torch", "torchvision", "torchmetrics", "timm", "transformers", "accelerate", "safetensors"),
    *("segmentation_models_pytorch", "cv2", "scipy", "sklearn", "skimage", "pandas", "matplotlib"),
    *("nibabel", "SimpleITK", "pydicom", "h5py", "ray"),
]
"""Libraries that take longer to import than a command may."""

_WATCHED_IMPORT = """
import importlib, json, sys, traceback

module, slow, path = json.loads(sys.argv[1])
sys.path[:] = path
found = {}

class Watcher:
    def find_spec(self, name, path=None, target=None):
        if name in slow and name not in found:
            # The plugin's own line, whatever it imports: inside usmt there is nothing to mend.
            own = module.partition(".")[0]
            for frame, line in traceback.walk_stack(sys._getframe()):
                if str(frame.f_globals.get("__name__")).partition(".")[0] == own:
                    found[name] = f"{frame.f_code.co_filename}:{line}"
                    break

sys.meta_path.insert(0, Watcher())
importlib.import_module(module)
print("\\nslow imports: " + json.dumps(found))
"""


def check_imports_nothing_slow(plugin_class: type) -> None:
    """Imports the module of a class in a process of its own, and looks at what comes with it."""
    module = plugin_class.__module__
    rule = f"{module}: importing it must import no slow library, for every usmt command does so"
    if module == "__main__":
        raise BrokenRuleError(
            rule,
            found=f"{plugin_class.__name__} is defined in a script",
            do="define it in a module of its own, and import it from there",
        )
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED_IMPORT, json.dumps([module, SLOW, sys.path])],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    # A module may print, and may end the process.
    answers = re.findall(r"^slow imports: (.*)$", done.stdout, re.MULTILINE)
    if done.returncode or not answers:
        raise BrokenRuleError(
            rule,
            expected=f"`import {module}` works in a fresh process",
            found=last_words(done.stderr),
            do="a plugin must not need what only its tests have set up",
        )
    if slow := json.loads(answers[-1]):
        at = {place: [name for name in slow if slow[name] == place] for place in slow.values()}
        raise BrokenRuleError(
            rule,
            found="; ".join(f"{', '.join(names)}, by {place}" for place, names in at.items()),
            do="import it inside the methods that need it; `from usmt import *` takes all of usmt, "
            "torch too: name what is needed",
        )
