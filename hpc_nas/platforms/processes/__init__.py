"""The processes of a campaign on its nodes: who starts, watches and ends whom (docs/architecture.md)."""
