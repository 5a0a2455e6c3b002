"""The leak audit: can the action be told from what a version should not show?"""

from stimuli.audit.run import run_audit

__all__ = ["run_audit"]
