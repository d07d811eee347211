"""The families of the exporter itself."""

from __future__ import annotations

from exporter.metrics.spec import SECONDS, UNIX, declare

OWN = (
    declare("Exporter", "eso_exporter_build_info", ("version", "python", "revision"), "What is running. Always 1."),
    declare("Exporter", "eso_exporter_resource_synced", ("resource", "scope"),
       "1 after the first complete list of a resource; scope is a namespace where it is watched per namespace.",
       merge="min"),
    declare("Exporter", "eso_exporter_resource_last_contact_timestamp_seconds", ("resource", "scope"),
       "Last proof that the watch lives: an event, a bookmark or a list.", unit=UNIX),
    declare("Exporter", "eso_exporter_resource_objects", ("resource",), "Objects held of a resource."),
    declare("Exporter", "eso_exporter_resource_denied", ("resource", "scope"),
       "1 while the API server refuses a resource that the configuration asks for."),
    declare("Exporter", "eso_exporter_resource_absent", ("resource", "scope"),
       "1 while the API server does not serve a resource, e.g. because its CRD is not installed."),
    declare("Exporter", "eso_exporter_config_last_reload_successful", (), "1 when the last load of the configuration was good."),
    declare("Exporter", "eso_exporter_config_last_reload_timestamp_seconds", (),
       "When the configuration was last loaded with success.", unit=UNIX),
    declare("Exporter", "eso_exporter_vault_servers", ("state",),
       "Distinct Vault servers named by stores: probed, not_allowed, refused, excess."),
    declare("Exporter", "eso_exporter_judged_objects", ("kind",), "Objects that were judged: silence is provable."),
    declare("Exporter", "eso_exporter_unmatched_exceptions", ("exception",),
       "A configured exception that fits no manual Secret: a typing error, or a migration that is done. Always 1."),
    declare("Exporter", "eso_exporter_lists_total", ("resource", "result"), "Lists of a resource.", type_="counter",
       merge="sum"),
    declare("Exporter", "eso_exporter_watch_events_total", ("resource", "type"), "Watch events received.", type_="counter",
       merge="sum"),
    declare("Exporter", "eso_exporter_watch_restarts_total", ("resource", "reason"), "Watches that ended, by reason.",
       type_="counter", merge="sum"),
    declare("Exporter", "eso_exporter_decode_errors_total", ("resource", "reason"),
       "Objects or events that could not be decoded and were skipped.", type_="counter", merge="sum"),
    declare("Exporter", "eso_exporter_vault_requests_total", ("vault", "operation", "code"),
       "Requests to Vault, by status code (0: no answer).", type_="counter", merge="sum"),
    declare("Exporter", "eso_exporter_web_rejected_total", ("reason",), "Connections and scrapes that were turned away.",
       type_="counter", merge="sum"),
    declare("Exporter", "eso_exporter_scrape_duration_seconds", (), "How long answering a scrape took.", unit=SECONDS,
       type_="histogram", merge="sum"),
    declare("Exporter", "eso_exporter_refresh_duration_seconds", (),
       "How long one round of judging and rendering what changed took.", unit=SECONDS, type_="histogram", merge="sum"),
)  # fmt: skip
