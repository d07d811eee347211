"""The alert rules and what is made of them. Nothing here is part of the exporter: Prometheus reads the result."""
