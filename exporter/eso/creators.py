"""The table of other creators: whose Secret is it, when it is not ESO's.

Each row is data of the same shape as the user's own `ownership.rules`, which are looked at before these. The first row
whose every given condition holds decides. Rows come from reference `eso.md` §7; the corpus in `tests/` reaches each.
"""

from __future__ import annotations

from exporter.config.settings import OwnershipRule as Row

HUMAN_OWNER_KINDS: frozenset[str] = frozenset(
    {
        "ConfigMap",
        "DaemonSet",
        "Deployment",
        "Namespace",
        "Pod",
        "Secret",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    }
)
"""Kinds that people name as owner of a hand-made Secret to have it collected with them: no proof of a controller."""

CREATORS: tuple[Row, ...] = (
    # Kubernetes itself.
    Row("service-account-token", "system", type="kubernetes.io/service-account-token"),
    Row("service-account-token", "system", annotation="kubernetes.io/service-account.uid"),
    Row("bootstrap-token", "system", type="bootstrap.kubernetes.io/token"),
    Row("bootstrap-token", "system", namespace="kube-system", secret="bootstrap-token-*"),
    Row("kubeadm-certs", "system", namespace="kube-system", secret="kubeadm-certs"),
    # Helm's own release records (not what a chart installs).
    Row("helm-release", "system", type="helm.sh/release.v1"),
    Row("helm-release", "system", label="owner=helm", secret="sh.helm.release.v1.*"),
    # ESO's own.
    Row("eso-webhook", "system", label="external-secrets.io/component=webhook"),
    # Controllers that copy or issue.
    Row("cert-manager", "controller", annotation="cert-manager.io/certificate-name"),
    Row("cert-manager", "controller", label="cert-manager.io/next-private-key"),
    Row("cert-manager", "controller", manager="cert-manager-*"),
    Row("sealed-secrets", "controller", label="sealedsecrets.bitnami.com/sealed-secrets-key"),
    Row("sealed-secrets", "controller", owner_kind="SealedSecret.bitnami.com"),
    Row("vault-secrets-operator", "controller", label="app.kubernetes.io/managed-by=hashicorp-vso"),
    Row("vault-secrets-operator", "controller", label="secrets.hashicorp.com/vso-ownerRefUID"),
    Row("secrets-store-csi", "controller", label="secrets-store.csi.k8s.io/managed=true"),
    Row("reflector", "controller", annotation="reflector.v1.k8s.emberstack.com/reflects"),
    Row("replicator", "controller", annotation="replicator.v1.mittwald.de/replicated-from-version"),
    Row("replicator", "controller", annotation="replicator.v1.mittwald.de/replicated-by"),
    Row("kyverno", "controller", label="generate.kyverno.io/*"),
    Row("kyverno", "controller", label="app.kubernetes.io/managed-by=kyverno"),
    Row("kubed", "controller", label="kubed.appscode.com/origin*"),
    Row("kubed", "controller", annotation="kubed.appscode.com/origin"),
    Row("cluster-secret", "controller", label="clustersecret.io/*"),
    Row("cluster-secret", "controller", annotation="clustersecret.io/synced"),
    Row("openshift-service-ca", "controller", annotation="service.beta.openshift.io/originating-service-name"),
    Row("openshift-service-ca", "controller", annotation="service.alpha.openshift.io/originating-service-name"),
    Row("openshift-dockercfg", "controller", annotation="openshift.io/token-secret.name"),
    Row("openshift-dockercfg", "controller", annotation="openshift.io/internal-registry-auth-token.service-account"),
    Row("olm", "controller", label="olm.managed=true"),
    Row("prometheus-operator", "controller", label="managed-by=prometheus-operator"),
    Row("istio", "controller", type="istio.io/*"),
    Row("linkerd", "controller", label="linkerd.io/control-plane-component"),
    Row("crossplane", "controller", type="connection.crossplane.io/v1alpha1"),
    Row("cloudnative-pg", "controller", label="cnpg.io/cluster"),
    Row("postgres-operator", "controller", label="application=spilo"),
    Row("strimzi", "controller", label="strimzi.io/*"),
    Row("elastic-operator", "controller", label="*.k8s.elastic.co/*"),
    Row("rancher", "controller", annotation="objectset.rio.cattle.io/id"),
    Row("rancher", "controller", annotation="listener.cattle.io/fingerprint"),
    Row("k3s", "controller", namespace="kube-system", secret="*.node-password.k3s"),
    Row("k3s", "controller", namespace="kube-system", secret="k3s-serving"),
    Row("argo-cd", "controller", secret="argocd-initial-admin-secret"),
    Row("argo-cd", "controller", secret="argocd-secret", label="app.kubernetes.io/part-of=argocd"),
    Row("gatekeeper", "controller", secret="gatekeeper-webhook-server-cert"),
    Row("keda", "controller", secret="kedaorg-certs"),
    Row("ingress-nginx", "controller", secret="*-admission", label="app.kubernetes.io/name=ingress-nginx"),
    # Values that come from a chart or from Git: not by hand, and not from Vault either.
    Row("helm", "helm", annotation="meta.helm.sh/release-name"),
    Row("helm", "helm", label="app.kubernetes.io/managed-by=Helm", manager="helm"),
    Row("flux-helm", "helm", label="helm.toolkit.fluxcd.io/name"),
    Row("flux", "gitops", label="kustomize.toolkit.fluxcd.io/name"),
    Row("flux", "gitops", manager="kustomize-controller"),
    Row("argo-cd-app", "gitops", annotation="argocd.argoproj.io/tracking-id"),
    Row("argo-cd-app", "gitops", manager="argocd-controller"),
    Row("argo-cd-app", "gitops", manager="argocd-application-controller"),
)

CREATOR_OF_MANAGER: tuple[tuple[str, str], ...] = (
    # (glob of a field manager, creator class): people's tools. Whoever is not here is an unrecognised controller.
    ("kubectl-create", "kubectl-create"),
    ("kubectl-client-side-apply", "kubectl-apply"),
    ("kubectl", "kubectl-apply"),
    ("kubectl-edit", "kubectl-edit"),
    ("kubectl-patch", "kubectl-patch"),
    ("kubectl-replace", "kubectl-replace"),
    ("kubectl-*", "other"),
    ("Terraform", "terraform"),
    ("terraform*", "terraform"),
    ("HashiCorp", "terraform"),
    ("OpenTofu*", "terraform"),
    ("node-fetch", "lens"),
    ("OpenLens*", "lens"),
    ("Lens*", "lens"),
    ("freelens*", "lens"),
    ("k9s", "k9s"),
    ("dashboard", "dashboard"),
    ("kubernetes-dashboard*", "dashboard"),
    ("Mozilla", "dashboard"),
    ("rancher", "dashboard"),
    ("OpenAPI-Generator", "python"),
    ("Swagger-Codegen", "python"),
    ("python*", "python"),
    ("Python*", "python"),
    ("curl", "other"),
    ("oc", "other"),
    ("oc-*", "other"),
    ("PostmanRuntime", "other"),
)

CREATORS_CLOSED: tuple[str, ...] = (
    "kubectl-create",
    "kubectl-apply",
    "kubectl-edit",
    "kubectl-patch",
    "kubectl-replace",
    "terraform",
    "lens",
    "k9s",
    "dashboard",
    "python",
    "other",
)

KNOWN_TYPES: frozenset[str] = frozenset(
    {
        "Opaque",
        "kubernetes.io/tls",
        "kubernetes.io/dockerconfigjson",
        "kubernetes.io/dockercfg",
        "kubernetes.io/basic-auth",
        "kubernetes.io/ssh-auth",
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
        "helm.sh/release.v1",
    }
)
"""Types printed as such in labels; any other is "other"."""
