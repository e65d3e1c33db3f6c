"""The head of boosted trees: a bank of forensic statistics, its weights, folds and trees."""
