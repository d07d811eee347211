"""The sidecar's direct road: what the judge says, as alerts, straight to Alertmanager's API; off unless one is named."""
