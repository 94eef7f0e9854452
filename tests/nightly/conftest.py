"""These take hours on the whole lab. `.ci/nightly` runs them: `PLUMBLINE_NIGHTLY=1 pytest -n0 tests/nightly`."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("PLUMBLINE_NIGHTLY") else ["test_*.py"]
