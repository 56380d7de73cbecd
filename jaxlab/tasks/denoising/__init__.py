"""Denoising: a network is given a spoiled image and answers with the clean one."""
