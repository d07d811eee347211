# What the operator may read for PROD, through the store vault-backend-prod.
path "secret/data/keybuzz/prod/*" {
  capabilities = ["read"]
}
