"""Adapters: the estimator in other tools' terms. Thin; one file each."""
