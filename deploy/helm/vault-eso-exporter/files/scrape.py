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


def resources(family: str, value: int) -> set[str]:
    """The labels (resource and scope) of a family's samples of this value."""
    name = f"eso_exporter_resource_{family}"
    samples = [line.removeprefix(name).rpartition(" ") for line in lines if line.startswith(name + "{")]
    return {labels for labels, _, number in samples if float(number) == value}


read, unread = resources("synced", 1), resources("synced", 0)
denied, absent = resources("denied", 1), resources("absent", 1)
if not read | unread:
    sys.exit(f"{url} answers, but not as vault-eso-exporter does")
late = unread - denied - absent
told = [f"denied {one}" for one in sorted(denied)] + [f"not read yet {one}" for one in sorted(late)]
told.append(f"{len(read)} resources are read, {len(denied)} are denied, {len(absent)} are not in this cluster")
sys.stdout.write("\n".join(told) + "\n")
sys.exit(1 if late else 0)
