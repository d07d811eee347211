"""`make dashboards-preview`: draws every dashboard, light and dark, from a real Prometheus that holds a bad day.

Grafana's own React components (npm, pinned in dashboards/preview/package-lock.json, about 480 MB) in headless Chromium; the
pictures go to docs/pictures. An error on a page's console, a query that fails or an empty panel makes it fail.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dashboards.files import all_dashboards
from tests.dashboards.day import Day
from tests.dashboards.pictures import FINGERPRINTS, FOLDER, SHOWN, THEMES, fingerprint
from tests.lab.history import filled
from tests.lab.servers import ROOT

PREVIEW = ROOT / "dashboards" / "preview"
SPAN, SCRAPE, COLOURS = 21_600, 30, 128


def main() -> int:
    """The command line; returns the exit code of the browser's script."""
    if not (PREVIEW / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--no-progress"], cwd=PREVIEW, check=True)
    end = float(int(time.time() - 60) // SCRAPE * SCRAPE)
    with tempfile.TemporaryDirectory(prefix="preview-") as made:
        folder = Path(made)
        dist = folder / "dist"
        subprocess.run(["npx", "vite", "build"], cwd=PREVIEW, env={**os.environ, "PREVIEW_OUT": str(dist)}, check=True)
        prometheus = filled(folder, "prometheus", [Day(end, True, "prod").openmetrics()])
        prometheus.start()
        try:
            task = {
                "prometheus": prometheus.address,
                "dist": str(dist),
                "json": str(ROOT / "dashboards" / "json"),
                "out": str(FOLDER),
                "colours": COLOURS,
                "pages": [
                    {
                        "name": f"{uid}-{theme}",
                        "uid": uid,
                        "theme": theme,
                        "end": end,
                        "span": SPAN,
                        "scrape": SCRAPE,
                        "chosen": {"cluster": ["prod"], **chosen},
                    }
                    for theme in THEMES
                    for uid, chosen in SHOWN.items()
                ],
            }
            FOLDER.mkdir(parents=True, exist_ok=True)
            drawn = subprocess.run(["node", "shoot.mjs", json.dumps(task)], cwd=PREVIEW, check=False)
        finally:
            prometheus.stop()
    if drawn.returncode == 0:
        prints = {dashboard.uid: fingerprint(dashboard.json()) for dashboard in all_dashboards()}
        FINGERPRINTS.write_text(json.dumps(prints, indent=1) + "\n")
    return drawn.returncode


if __name__ == "__main__":
    sys.exit(main())
