"""All databases of cdk.json, checked against each other: two blocks share neither names, nor records, nor clusters.

Locks are one for each block. What two of them could touch would be kept from two releases at once by nothing.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import permutations
from pathlib import Path

from stacks.config import ClusterConfig, ConfigError

ENDINGS = ("approval", "decommission", "green-account", "monitor", "recovery")
"""With these end names that a stack gives, of state machines, stacks and so on, after the name of its block."""

APART = "Databases that have nothing in common, such as those of two accounts, can have a cdk.json each."


CA_BUNDLE = Path(__file__).resolve().parents[1] / "lambdas" / "bluegreen" / "rds-ca-bundle.pem"


def configured(blocks: object, *, local: bool = False) -> list[ClusterConfig]:
    """The databases under `clusters` in cdk.json; raises ConfigError at the first thing wrong in one or between two.

    local  the stacks are for the emulator, whose servers have no TLS
    """
    if not isinstance(blocks, Mapping) or not blocks:
        raise ConfigError(f"clusters: expected a block for each database that is released, found {blocks!r}")
    configs = [ClusterConfig.from_context(name, block) for name, block in blocks.items()]
    if not local:
        _require_verified_servers(configs)
    _require_names_apart(configs)
    _require_records_apart(configs)
    _require_clusters_apart(configs)
    return configs


def _require_verified_servers(configs: Sequence[ClusterConfig]) -> None:
    for config in configs:
        where = f"clusters.{config.name}"
        if config.database_tls != "verify-full":
            raise ConfigError(
                f'{where}.database_tls: expected "verify-full", found {config.database_tls!r}: only the local run goes '
                "without, and a password would be sent to whoever answers"
            )
        if config.region not in regions_with_roots():
            raise ConfigError(
                f"{where}.region: {config.region} is not among the Regions whose roots are in lambdas/bluegreen/"
                f"{CA_BUNDLE.name}, so that no server there would be believed. Add them, of https://truststore.pki.rds."
                f"amazonaws.com/{config.region}/{config.region}-bundle.pem where that is a Region of the partition aws"
            )


@lru_cache(maxsize=1)
def regions_with_roots() -> frozenset[str]:
    """The Regions whose certificates of RDS our sessions can verify, as the roots' names tell."""
    texts = re.findall(r"-----BEGIN.*?-----END CERTIFICATE-----", CA_BUNDLE.read_text(encoding="ascii"), re.DOTALL)
    named = (re.search(rb"Amazon RDS ([a-z0-9-]+) Root CA", ssl.PEM_cert_to_DER_cert(text)) for text in texts)
    return frozenset(found[1].decode() for found in named if found)


def _require_names_apart(configs: Sequence[ClusterConfig]) -> None:
    for one, other in permutations(configs, 2):
        for ending in ENDINGS:
            if other.name == f"{one.name}-{ending}":
                raise ConfigError(
                    f"clusters.{other.name}: expected another name, since something of clusters.{one.name} is called "
                    f"so; beside it none may end in {', '.join(f'-{each}' for each in ENDINGS)}"
                )


def _require_records_apart(configs: Sequence[ClusterConfig]) -> None:
    moved: dict[tuple[str, str], str] = {}
    for config in configs:
        for record in (*config.records, *config.rehearsal_records):
            first = moved.setdefault((record.zone_id, record.name), config.name)
            if first != config.name:
                raise ConfigError(
                    f"clusters.{config.name}: expected records of its own, found {record.name!r} in hosted zone "
                    f"{record.zone_id}, which clusters.{first} moves. {APART}"
                )


def _require_clusters_apart(configs: Sequence[ClusterConfig]) -> None:
    """Where Regions differ clusters do, but global clusters have none."""
    for one, other in permutations(configs, 2):
        shared = {one.region, *one.secondary_regions} & {other.region, *other.secondary_regions}
        if not shared and not (one.secondary_regions and other.secondary_regions):
            continue
        if other.cluster_pattern.startswith(one.cluster_pattern.removesuffix("*")):
            where = f"in {', '.join(sorted(shared))}" if shared else "among global clusters"
            raise ConfigError(
                f"clusters.{other.name}.cluster_pattern: expected a pattern that has nothing in common with that of "
                f"clusters.{one.name}, {one.cluster_pattern!r}, found {other.cluster_pattern!r}: releases of both "
                f"could touch the same clusters {where}, and do not exclude each other. {APART}"
            )
