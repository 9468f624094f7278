"""``twistdp crds``: print the custom resource's definition, or samples of objects."""

import click

from twistdp.crds import crd_yaml, samples_yaml


@click.command
@click.option("--samples", is_flag=True, help="Print objects to begin with instead.")
def command(samples: bool) -> int:
    """Print the definition of DevicePlugin, the custom resource of the operator."""
    print("---\n".join(samples_yaml().values()) if samples else crd_yaml(), end="")
    return 0
