"""`celery -A <module> worker`: a worker that finds nothing to do."""

import importlib
import signal
import sys

sys.path.insert(0, "")
importlib.import_module(sys.argv[sys.argv.index("-A") + 1])
signal.pause()
