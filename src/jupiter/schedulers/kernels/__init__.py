"""Hot loops over columns of numbers: compiled by numba where that pays, interpreted elsewhere."""
