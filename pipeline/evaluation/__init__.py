"""How good a detector is: metrics, folds, baselines, thresholds."""
