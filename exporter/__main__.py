"""`python -m exporter` is `vault-eso-exporter`."""

import sys

from exporter.cli import main

sys.exit(main())
