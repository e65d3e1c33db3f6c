"""The head on forensic statistics: their bank, weights and folds, trees and networks."""
