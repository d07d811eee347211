"""The External Secrets Operator's own rules as pure functions: no network, no threads, no clock, no metrics."""
