"""A symmetric ring of five elements: how strongly an input at one moves each of the others.

To be seen in ring_tables.svg: left the table of DC gains of the forward ring, which is no matter of distance alone (far
elements may move the other way); right the same for the backward ring, which is its transpose: it carries errors back.
"""

import matplotlib.pyplot as plt
import numpy as np

from physnn.analysis import gain_table
from physnn.equations import System
from physnn.media.ring import WUXING, Ring

ring = Ring("cell", 1, generation=1.0, loss=0.4, inhibition=0.6)
both = {"forward": ring, "backward": ring.reversed()}
tables = {way: gain_table(System.of([cell.lower()]), "cell") for way, cell in both.items()}
figure, axes = plt.subplots(1, 2, figsize=(9, 4))
for panel, (way, table) in zip(axes, tables.items(), strict=True):
    print(f"{way}\n      {'      '.join(WUXING)}")
    for element, row in zip(WUXING, table, strict=True):
        print(element, " ".join(f"{gain:6.3f}" for gain in row))
    panel.imshow(table, cmap="RdBu", vmin=-2, vmax=2)
    panel.set_title(f"{way}: gain from row to column")
    panel.set_xticks(range(5), WUXING)
    panel.set_yticks(range(5), WUXING)
    for (row, column), gain in np.ndenumerate(table):
        panel.text(column, row, f"{gain:.2f}", ha="center", va="center")
print(
    "largest difference between one and the other transposed:", np.max(np.abs(tables["forward"] - tables["backward"].T))
)
figure.savefig("ring_tables.svg")
