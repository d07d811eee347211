"""The names of the contestants in tables."""

OURS, OURS_AGE, OURS_TLS = "ours, age off", "ours, age on", "ours, TLS"
KSM, PLAIN = "kube-state-metrics", "plain Python"
