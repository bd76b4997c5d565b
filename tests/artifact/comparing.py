"""Artifacts without what they say of their parents: all that is the same when saved again."""

from __future__ import annotations

import json
from pathlib import Path


def without_lineage(path: Path) -> str:
    """Return an artifact's text, in its order, without lineage and digest."""
    data = json.loads(path.read_text())
    del data["lineage"], data["digest"]
    return json.dumps(data, indent=2)
