"""Hatch build hook: the gRPC stubs are made by the package build itself, from ``proto/``."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def generate(root: Path) -> None:
    """Write ``recsys/rpc/v1/*_pb2*.py`` from every ``.proto`` file under ``proto/``."""
    proto = root / "proto"
    sources = [str(path.relative_to(proto)) for path in sorted(proto.rglob("*.proto"))]
    google = files("grpc_tools").joinpath("_proto")  # google/protobuf/timestamp.proto and kin
    out = [f"--{kind}={root}" for kind in ("python_out", "pyi_out", "grpc_python_out")]
    if protoc.main(["protoc", f"-I{proto}", f"-I{google}", *out, *sources]) != 0:
        raise SystemExit("protoc failed: see the lines above")


class StubsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling before files are collected, for wheels and editable installs alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate the stubs next to the package's own modules."""
        generate(Path(self.root))


if __name__ == "__main__":
    generate(Path(__file__).parents[1])
