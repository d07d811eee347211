#!/bin/sh
# Policies and Kubernetes roles for the External Secrets Operator and for the migration. Safe to run again: it says what should be.
#
# Needs the command `vault` or `bao`, logged in with the right to write policies and auth methods (VAULT_ADDR, VAULT_TOKEN or ~/.vault-token).
# With Vault inside the cluster nothing else is needed. With Vault outside of it:
#   KUBERNETES_HOST      address of the API server, as Vault reaches it
#   KUBERNETES_CA_FILE   file with the API server's CA certificate
#   REVIEWER_TOKEN_FILE  file with a token of the account in k8s/cluster/token-reviewer.yaml
set -eu
cd "$(dirname "$0")"

cli=$(command -v vault || command -v bao) || { echo "Neither vault nor bao is on the PATH: install one of them." >&2; exit 1; }
"$cli" token lookup >/dev/null || { echo "Not logged in to Vault: set VAULT_ADDR and VAULT_TOKEN, or log in." >&2; exit 1; }

for policy in eso-keybuzz-dev eso-keybuzz-prod keybuzz-migration; do
    "$cli" policy write "$policy" "policies/$policy.hcl"
done

"$cli" auth list -format=json | grep -q '"kubernetes/"' || "$cli" auth enable kubernetes
set -- "kubernetes_host=${KUBERNETES_HOST:-https://kubernetes.default.svc}"
[ -z "${KUBERNETES_CA_FILE:-}" ] || set -- "$@" "kubernetes_ca_cert=@$KUBERNETES_CA_FILE"
[ -z "${REVIEWER_TOKEN_FILE:-}" ] || set -- "$@" "token_reviewer_jwt=@$REVIEWER_TOKEN_FILE" disable_local_ca_jwt=true
"$cli" write auth/kubernetes/config "$@"

for environment in dev prod; do
    "$cli" write "auth/kubernetes/role/eso-keybuzz-$environment" \
        bound_service_account_names=external-secrets bound_service_account_namespaces=external-secrets \
        audience=vault "token_policies=eso-keybuzz-$environment" token_ttl=20m token_max_ttl=1h
done
