# What the operator may read for DEV: values, for that is its job; no lists, no writes, and nothing of PROD.
path "secret/data/keybuzz/*" {
  capabilities = ["read"]
}
path "secret/data/observability/*" {
  capabilities = ["read"]
}
path "secret/data/keybuzz/prod/*" {
  capabilities = ["deny"]
}
path "database/static-creds/keybuzz-api" {
  capabilities = ["read"]
}
