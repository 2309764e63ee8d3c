"""Margin systems of other venues, as published: to compare with, and to build scenarios from. Floating point, and no
part of what is proven."""
