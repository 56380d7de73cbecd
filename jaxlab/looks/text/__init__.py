"""Looks into networks that read text."""
