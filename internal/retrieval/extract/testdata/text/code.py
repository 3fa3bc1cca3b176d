import os


def first(a):
    """Say something that is long enough to be a block of its own, in more than two hundred bytes, since short blocks are kept together with what follows them."""
    return a


def second(b):
    """And another one."""

    return b
