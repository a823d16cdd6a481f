"""The verbs that only show facts: `version` and `metrics`."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

import click

from ..counting.table import METRICS, Metric
from .terminal import echo


@click.command()
def version() -> int:
    """Show the versions of sipswarm and of what it stands on.

    \b
    Examples:
      sipswarm version
    """
    from ..bus.link import versions

    libzmq, pyzmq = versions()
    echo(f"sipswarm {installed('sipswarm')}")
    echo(f"Python {platform.python_version()}")
    echo(f"libzmq {libzmq} (pyzmq {pyzmq})")
    echo(f"uvloop {installed('uvloop')}")
    return 0


@click.command()
def metrics() -> int:
    """List every metric on /metrics with its labels and meaning.

    \b
    Examples:
      sipswarm metrics
      sipswarm metrics | grep -A 4 registration
    """
    for metric in METRICS:
        echo(f"{metric.name} ({metric.kind})")
        echo(f"    {metric.help}")
        for label in metric.labels:
            echo(f"    {label}: {_values(metric, label)}")
        if metric.buckets:
            echo(f"    buckets: {' '.join(f'{edge:g}' for edge in metric.buckets)}")
    return 0


def _values(metric: Metric, label: str) -> str:
    if label == "process":
        return "a slot's name, such as dispatcher, call-0 or media-1"
    values = metric.closed.get(label)
    if values is None:
        return "as configured"
    return " ".join((*values, "OTHER" if label == "method" else "other"))


def installed(package: str) -> str:
    """Return the version of an installed package.

    sipswarm itself is not installed when it runs from its source folder.
    """
    try:
        return version_of(package)
    except PackageNotFoundError:
        return "not installed"
