"""Revisions, revision trees and merges: pure functions and data, no input or output."""
