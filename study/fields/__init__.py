"""The sections of a study file, field by field, with what each means and may be."""

from __future__ import annotations

from study.fields.analysis import Analysis, Exclusions, Power
from study.fields.base import ConditionName, FilePath, Name, Section, Share
from study.fields.data import (
    Dataset,
    FolderData,
    Haa500Data,
    Masks,
    SourceFolder,
    Split,
    SyntheticData,
)
from study.fields.models import Model, SoftMask, Training
from study.fields.scoring import Noise, NoiseKind, Saliency, Scoring
from study.fields.session import Session
from study.fields.trials import Observers, Trials
from study.fields.versions import Audit, AuditedFill, Versions

__all__ = [
    "Analysis",
    "Audit",
    "AuditedFill",
    "ConditionName",
    "Dataset",
    "Exclusions",
    "FilePath",
    "FolderData",
    "Haa500Data",
    "Masks",
    "Model",
    "Name",
    "Noise",
    "NoiseKind",
    "Observers",
    "Power",
    "Saliency",
    "Scoring",
    "Section",
    "Session",
    "Share",
    "SoftMask",
    "SourceFolder",
    "Split",
    "SyntheticData",
    "Training",
    "Trials",
    "Versions",
]
