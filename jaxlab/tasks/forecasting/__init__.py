"""Forecasting a series of numbers from its past."""
