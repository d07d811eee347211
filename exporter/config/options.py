"""The table of options: each setting that has a flag, once, with its help.

From this table come the flags of the commands, the names of the environment variables, `docs/configuration.md` and the
origins that `config show` tells. The type, the default and the limits are those of the setting it fills.
"""

from __future__ import annotations

import re

import msgspec
import msgspec.inspect as inspect

from exporter.config.schema import SETTINGS, SettingPath, note, plain

ENVIRONMENT_PREFIX = "VAULT_ESO_EXPORTER_"

SERVICE_LINK = re.compile(
    ENVIRONMENT_PREFIX + r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes puts into every container for a Service whose name starts with `vault-eso-exporter`: not ours, ignored."""


REVISION_VARIABLE = ENVIRONMENT_PREFIX + "REVISION"
"""Set by a build to the source revision it was made from, for eso_exporter_build_info; no setting."""


class Option(msgspec.Struct, frozen=True):
    """One flag: `flag` without its dashes, the setting it fills (empty for `config.file`), one sentence of help.

    `pairs` marks the one that takes NAME=URL and adds to what the file lists.
    """

    flag: str
    path: SettingPath
    help: str
    pairs: bool = False

    @property
    def env(self) -> str:
        """`VAULT_ESO_EXPORTER_WEB_LISTEN_ADDRESS` for `--web.listen-address`."""
        return ENVIRONMENT_PREFIX + re.sub(r"[.-]", "_", self.flag).upper()

    @property
    def kind(self) -> inspect.Type:
        """The type of the setting."""
        return SETTINGS[self.path].type if self.path else inspect.Metadata(inspect.StrType(), extra={"file": True})

    @property
    def switch(self) -> bool:
        """Whether it takes no value and has a `--no-` form."""
        return isinstance(plain(self.kind), inspect.BoolType)

    @property
    def repeatable(self) -> bool:
        """Whether it may be given several times; items also split at commas, pairs where the next one starts."""
        return isinstance(plain(self.kind), inspect.VarTupleType | inspect.DictType)

    @property
    def metavar(self) -> str:
        """How its value is called in the help."""
        inner = plain(self.kind)
        match inner:
            case _ if self.pairs:
                return "NAME=URL"
            case inspect.LiteralType():
                return "|".join(str(value) for value in inner.values)
            case inspect.VarTupleType():
                return "ITEM,…"
            case inspect.DictType():
                return "NAME=VALUE"
            case inspect.IntType() | inspect.FloatType():
                return "DURATION" if note(self.kind).get("unit") == "seconds" else "NUMBER"
            case _:
                return "FILE" if note(self.kind).get("file") else "TEXT"


OPTIONS: tuple[Option, ...] = (
    Option("config.file", (), "The configuration file (YAML); it is read again when it changes."),
    # Kubernetes
    Option(
        "kubeconfig",
        ("kubernetes", "kubeconfig"),
        "A kubeconfig file; without one the pod's service account, else $KUBECONFIG or ~/.kube/config.",
    ),
    Option("context", ("kubernetes", "context"), "The context of the kubeconfig, if not its current one."),
    Option(
        "namespaces",
        ("kubernetes", "namespaces"),
        "Watch only these namespaces, each by its own requests (roles in these namespaces are enough).",
    ),
    Option(
        "namespace-selector",
        ("kubernetes", "namespace_selector"),
        "Watch only namespaces whose labels match, e.g. team=shop,env!=dev.",
    ),
    Option("kubernetes.page-size", ("kubernetes", "page_size"), "Objects per page of a list."),
    Option(
        "kubernetes.watch-timeout",
        ("kubernetes", "watch_timeout"),
        "How long one watch request lasts (± 20 %); a watch has shown that it lives after at most this long.",
    ),
    Option("kubernetes.connect-timeout", ("kubernetes", "connect_timeout"), "Limit for opening a connection."),
    # Vault
    Option(
        "vault",
        ("vault", "servers"),
        "Name a Vault and probe it: main=https://vault.example:8200. Adds to the file's list; the same name replaces its address.",
        pairs=True,
    ),
    Option(
        "vault.discover",
        ("vault", "discover"),
        "Probe the servers that stores name: of ClusterSecretStores (cluster), also of SecretStores as far as "
        "--vault.allow goes (all), or none (off).",
    ),
    Option(
        "vault.allow",
        ("vault", "allow"),
        "Servers of SecretStores that may be probed with --vault.discover=all: host or host:port, globs allowed.",
    ),
    Option("vault.interval", ("vault", "interval"), "How often each Vault node is probed."),
    Option("vault.timeout", ("vault", "timeout"), "Limit for one probe; less than the interval."),
    Option("vault.max-servers", ("vault", "max_servers"), "At most so many distinct servers are probed."),
    # Web
    Option("web.listen-address", ("web", "listen_address"), "Where to listen: host:port, :port or [v6]:port."),
    Option(
        "web.config.file",
        ("web", "config_file"),
        "TLS and authentication of the HTTP server (exporter-toolkit's format).",
    ),
    Option("web.enable-reload", ("web", "enable_reload"), "Allow a configuration reload by POST /-/reload."),
    Option(
        "web.max-connections",
        ("web", "max_connections"),
        "Connections open at once; at the limit the one that has been still for longest goes.",
    ),
    Option(
        "web.max-scrapes",
        ("web", "max_scrapes"),
        "Scrapes answered at once, with gzip and without it each; more get 503.",
    ),
    Option("web.header-timeout", ("web", "header_timeout"), "Limit for reading the head of a request."),
    Option("web.idle-timeout", ("web", "idle_timeout"), "How long an idle connection is kept."),
    # Metrics
    Option("metrics.disable", ("metrics", "disable"), "Leave out the families whose name matches this glob."),
    Option(
        "metrics.age",
        ("metrics", "age"),
        "Export eso_externalsecret_last_sync_age_seconds, which changes on every scrape.",
    ),
    # Logs
    Option("log.level", ("log", "level"), "The least level that is logged (libraries never log below warning)."),
    Option("log.format", ("log", "format"), "How a log line looks; logs go to standard error."),
    # Judgement
    Option(
        "judge.never-synced-after",
        ("judge", "never_synced_after"),
        "An ExternalSecret older than this that never synced is a problem.",
    ),
    Option(
        "judge.overdue-factor",
        ("judge", "overdue_factor"),
        "Overdue is: last sync + the later of factor · interval and interval + grace.",
    ),
    Option("judge.overdue-grace", ("judge", "overdue_grace"), "The grace of --judge.overdue-factor."),
    Option(
        "judge.absence-after",
        ("judge", "absence_after"),
        "How long an object that another one needs may be missing before that is a problem.",
    ),
    Option(
        "judge.never-validated-after",
        ("judge", "never_validated_after"),
        "A store older than this without any status is a problem.",
    ),
    Option(
        "judge.deleting-stuck-after",
        ("judge", "deleting_stuck_after"),
        "An object that has been going for longer than this is a problem.",
    ),
    # Secrets
    Option(
        "secrets.mode",
        ("secrets", "mode"),
        "Watch Secrets as metadata (never with values), or not at all: then what is known of Secrets is absent.",
    ),
    Option(
        "secrets.exclude-namespaces",
        ("secrets", "exclude_namespaces"),
        "Namespaces whose Secrets are not judged (their ExternalSecrets are).",
    ),
    # Owners
    Option(
        "owner.keys",
        ("owner", "keys"),
        "Label or annotation keys that name an object's owner, first hit wins, then those of its Namespace.",
    ),
    Option("owner.max-length", ("owner", "max_length"), "Longer owners are cut."),
    # The operator's own workloads
    Option("operator.namespace", ("operator", "namespace"), "Where the operator runs; any namespace if not given."),
    Option("operator.controller", ("operator", "controller"), "Label that the controller's Deployment carries."),
    Option("operator.webhook", ("operator", "webhook"), "Label that the webhook's Deployment carries."),
    Option(
        "operator.cert-controller",
        ("operator", "cert_controller"),
        "Label that the cert-controller's Deployment carries.",
    ),
    # The direct road to Alertmanager
    Option(
        "alertmanager",
        ("alertmanager", "urls"),
        "Send alerts straight to this Alertmanager, http(s)://host:port; name each one, not a load balancer before them.",
    ),
    Option(
        "alertmanager.label",
        ("alertmanager", "labels"),
        "A label for every alert that is sent, such as cluster=prod: what Prometheus adds as external labels.",
    ),
    Option("alertmanager.interval", ("alertmanager", "interval"), "How often alerts are worked out."),
    Option(
        "alertmanager.resolve-timeout",
        ("alertmanager", "resolve_timeout"),
        "An alert ends by itself so long after it was last sent; it is sent again four times as often.",
    ),
    Option("alertmanager.timeout", ("alertmanager", "timeout"), "Limit for one request to an Alertmanager."),
    Option(
        "alertmanager.bearer-token-file",
        ("alertmanager", "bearer_token_file"),
        "A file with the bearer token for the Alertmanagers, read for each request.",
    ),
    Option("alertmanager.username", ("alertmanager", "username"), "The user of basic authentication."),
    Option(
        "alertmanager.password-file",
        ("alertmanager", "password_file"),
        "A file with the password of --alertmanager.username, read for each request.",
    ),
    Option(
        "alertmanager.ca-file",
        ("alertmanager", "ca_file"),
        "The CA (PEM) of the Alertmanagers' certificates, if not the system's.",
    ),
    Option("alertmanager.cert-file", ("alertmanager", "cert_file"), "A client certificate (PEM)."),
    Option("alertmanager.key-file", ("alertmanager", "key_file"), "The key of --alertmanager.cert-file."),
    Option(
        "alertmanager.exclude-namespaces",
        ("alertmanager", "exclude_namespaces"),
        "Namespaces (globs) whose ExternalSecrets, stores and Secrets are as if they were not there.",
    ),
    Option(
        "alertmanager.runbook-url",
        ("alertmanager", "runbook_url"),
        "Where the runbooks are; {alert} stands for the alert's name.",
    ),
    Option(
        "alertmanager.dashboard-url",
        ("alertmanager", "dashboard_url"),
        "Where Grafana is, such as https://grafana.example: alerts then carry a dashboard_url.",
    ),
    Option(
        "alertmanager.time-scale",
        ("alertmanager", "time_scale"),
        "Multiplies the waiting times of all alerts; for trials, where an alert must not take a quarter of an hour.",
    ),
)

BY_FLAG: dict[str, Option] = {option.flag: option for option in OPTIONS}
BY_ENV: dict[str, Option] = {option.env: option for option in OPTIONS}

FILE_ONLY: dict[SettingPath, str] = {
    ("secrets", "namespaces"): "The mode for one namespace, by its name; stands over `secrets.mode`.",
    ("ownership", "rules"): "Own rules of ownership, judged before the built-in ones of other controllers.",
    ("ownership", "exceptions"): "Manual Secrets that somebody accepted, with reason and end.",
}
"""Settings too deep for a flag, with their help: only the configuration file can hold them."""
