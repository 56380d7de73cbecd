"""Variational autoencoders: a bound on the likelihood of images, learned by an encoder and a decoder."""
