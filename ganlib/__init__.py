"""GANs, Line by Line: a small package in which the code of a game is its formula.

Importing ``ganlib`` imports nothing heavy; take what you need from its modules::

    from ganlib.game import gan
    from ganlib.nets import conv_gan
    from ganlib.objectives import nonsaturating
    from ganlib.penalties import r1
    from ganlib.train import train
"""

__version__ = "0.1.0"


def pretrained(name: str):
    """A trained network that comes with the package: see ``ganlib.shipped.load``."""
    from ganlib.shipped import load

    return load(name)
