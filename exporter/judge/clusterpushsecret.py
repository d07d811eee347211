"""ClusterPushSecrets: judged by the rule of everything that is spread over namespaces."""

from __future__ import annotations

from exporter.inventory.changes import CLUSTER_PUSHSECRET
from exporter.judge.kind import Plain
from exporter.judge.spread import judge
from exporter.kube.resources import CLUSTERPUSHSECRETS

KIND = Plain(CLUSTER_PUSHSECRET, CLUSTERPUSHSECRETS, lambda inventory: inventory.clusterpushsecrets, judge)
