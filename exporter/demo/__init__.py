"""A simulated Kubernetes cluster and a simulated Vault that speak the real protocols over HTTP on 127.0.0.1.

The `demo` command runs the real exporter against them, the unit tests break them in every way a network or a server
can break (`faults.py`), and the benchmarks fill them with hundreds of thousands of objects (`bulk.py`). Nothing in here
knows the exporter, and no secret value exists in here: of a Secret only the names of its keys are kept.
"""
