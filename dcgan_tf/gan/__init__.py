"""The DCGAN: networks, losses, random numbers, train step, optimisers."""
