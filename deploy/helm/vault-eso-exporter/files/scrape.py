"""`helm test`: scrape.py URL [HEADER…] ends with 0 when the exporter answers and has seen the cluster, else with a sentence."""

import ssl
import sys
import urllib.error
import urllib.request

url, *headers = sys.argv[1:]
# The certificate is for the name that Prometheus knows; whether it is right is Prometheus' business.
request = urllib.request.Request(url, headers=dict(header.split(": ", 1) for header in headers))
try:
    with urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context()) as answer:
        lines = answer.read().decode().splitlines()
except urllib.error.HTTPError as error:
    sys.exit(f"{url} answers {error.code}: with users, give probes.httpHeaders an Authorization header")
except OSError as error:
    sys.exit(f"{url} does not answer ({error}): is the pod ready, and does a NetworkPolicy admit this one?")
synced = [line for line in lines if line.startswith("eso_exporter_resource_synced{")]
late = [line for line in synced if line.endswith(" 0")]
denied = [line for line in lines if line.startswith("eso_exporter_resource_denied{") and line.endswith(" 1")]
if not synced:
    sys.exit(f"{url} answers, but not as vault-eso-exporter does")
told = [*late, *denied, f"{len(synced) - len(late)} of {len(synced)} resources are read, {len(denied)} are denied"]
sys.stdout.write("\n".join(told) + "\n")
sys.exit(1 if len(late) > len(denied) else 0)
