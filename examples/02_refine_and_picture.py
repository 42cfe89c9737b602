"""A file in, a repaired file and a before/after picture out: what `toch denoise` does, in Python.

Run: python 02_refine_and_picture.py [SEQUENCE.npz]; without a file it takes the package's example.
"""

import sys
from importlib.resources import files

import toch_jax
from toch_jax.metrics.clip import measure, metrics_table
from toch_jax.view.picture import draw_picture
from toch_jax.view.scene import rows_of

source = sys.argv[1] if len(sys.argv) > 1 else files("toch_jax.example") / "tracked.npz"
sequence = toch_jax.load_sequence(source)
print(f"{source}: {sequence.n_frames} frames at {sequence.fps:g} a second, hands: {', '.join(sequence.hand_side)}")
for note in sequence.notes:
    print("note:", note)

clean = toch_jax.refine(sequence, hand="model", progress=True)
toch_jax.save_sequence("clean.npz", clean)

# "before", "after" and, as the example has it, "truth": the hands' joints and skin as plain arrays
rows = rows_of(sequence, clean)
print("\n" + metrics_table({name: measure(sequence, hands, rows.get("truth")) for name, hands in rows.items()}))
draw_picture("clean.png", sequence, rows)
print("\nWritten: clean.npz, clean.png (green is contact, red is inside the object).")
