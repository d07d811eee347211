"""vault-eso-exporter: proves that every Kubernetes Secret really comes from Vault, and says which do not."""

__version__ = "0.1.0"
