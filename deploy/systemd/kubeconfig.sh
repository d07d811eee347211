#!/bin/sh
# Print a kubeconfig by which the exporter runs outside the cluster as the ServiceAccount of deploy/rbac.yaml.
# Usage: (umask 077; kubeconfig.sh [DURATION] > FILE)   (the token's life, 24h if not given; the API server may cut it)
# A token ends: vault-eso-exporter-kubeconfig.timer writes the file anew, and the exporter reads it again by itself.
set -eu
account=vault-eso-exporter

# The token goes from one program's output into a variable of this shell, and from there into a here-document: it is in no argument.
token=$(kubectl create token "$account" --namespace "$account" --duration "${1:-24h}")
server=$(kubectl config view --minify --flatten --output 'jsonpath={.clusters[0].cluster.server}')
authority=$(kubectl config view --minify --flatten --raw --output 'jsonpath={.clusters[0].cluster.certificate-authority-data}')

cat <<EOF
apiVersion: v1
kind: Config
clusters:
  - name: cluster
    cluster:
      server: $server
      certificate-authority-data: $authority
users:
  - name: $account
    user:
      token: $token
contexts:
  - name: cluster
    context: {cluster: cluster, user: $account}
current-context: cluster
EOF
