"""The Grafana dashboards: a small typed model (`model`, `panels`), shared PromQL (`promql`, `problems`), one file per dashboard.

`python -m tools.generate` writes `json/` and `kubernetes/` from it; nobody edits those by hand.
"""
