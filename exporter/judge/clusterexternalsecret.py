"""ClusterExternalSecrets: judged by the rule of everything that is spread over namespaces."""

from __future__ import annotations

from exporter.inventory.changes import CLUSTER_EXTERNALSECRET
from exporter.judge.kind import Plain
from exporter.judge.spread import judge
from exporter.kube.resources import CLUSTEREXTERNALSECRETS

KIND = Plain(CLUSTER_EXTERNALSECRET, CLUSTEREXTERNALSECRETS, lambda inventory: inventory.clusterexternalsecrets, judge)
