"""The HTTP server: /metrics beside hostile clients, TLS and authentication, health routes, the landing page."""
