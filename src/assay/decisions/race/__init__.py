"""Race: the best of many designs for a part of the calls of a grid, without a claim; the claim comes from one try."""
