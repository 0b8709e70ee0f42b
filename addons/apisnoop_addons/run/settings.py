"""What a run was asked to do, as its command line says it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of `apisnoop run`; their meaning is in its `--help`."""

    command: tuple[str, ...]
    kubeconfig: Path | None = None
    context: str | None = None
    spec: str | None = None
    db: Path = Path("apisnoop.db")
    calls: Path | None = None
    report: Path | None = None
    ui: bool = False
    ui_port: int = 0
    """0: any free port."""
    ui_bodies: bool = False
    quiet: bool = False
