"""Which Vault and OpenBao servers are asked, and what each node answers to a tokenless health probe.

`servers` chooses (pure), `health` asks one node once, `prober` keeps asking all of them. Knows nothing of Kubernetes.
"""
