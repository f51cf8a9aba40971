"""Cases made from documents: questions, reference answers and quoted evidence, filtered hard, and said to be weak."""
