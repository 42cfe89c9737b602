"""Two hands and an object of two parts: each hand is repaired in the frame of the part that it handles.

Run: python 05_two_hands.py; it writes two_hands.png. The second hand and part are the example seen in a mirror.
"""

from importlib.resources import files

import numpy as np

import toch_jax
from toch_jax.metrics.clip import measure, metrics_table
from toch_jax.sequence.mirror import mirror
from toch_jax.view.picture import draw_picture
from toch_jax.view.scene import rows_of

clip = toch_jax.load_sequence(files("toch_jax.example") / "tracked.npz").frames(20, 84)
one, other = clip.numpy(), mirror(clip).numpy()  # arrays with an axis of hands, and of parts, of length 1
# The second part's place: 25 cm above the first.
place = np.array([0, 0, 0.25]) + (one["object_translation"] - other["object_translation"]).mean(axis=(0, 1))
for key in ("hand_transl", "truth_transl", "object_translation"):
    other[key] = other[key] + place

# Hands and parts are stacked along their axes; the mesh holds both parts, and says of each vertex whose it is.
n_vertices = len(one["object_vertices"])
per_hand = [key for key in one if key.startswith(("hand_", "truth_")) and key != "hand_model"]
stacked = {key: np.concatenate([one[key], other[key]]) for key in [*per_hand, "object_rotation", "object_translation"]}
sequence = toch_jax.sequence_from_arrays(
    fps=one["fps"],
    hand_model="open",
    object_vertices=np.concatenate([one["object_vertices"], other["object_vertices"]]),
    object_faces=np.concatenate([one["object_faces"], other["object_faces"] + n_vertices]),
    object_vertex_part=np.repeat([0, 1], n_vertices),
    **stacked,  # hand_side, hand_pose, ..., object_rotation (2, T, 3), object_translation (2, T, 3)
)
clean = toch_jax.refine(sequence, progress=True)

rows = rows_of(sequence, clean)
print(f"\nHands: {', '.join(sequence.hand_side)}; the object has {sequence.object_motion.rotation.shape[0]} parts.")
for hand, side in enumerate(sequence.hand_side):
    print(f"\n{side} hand:")
    print(
        metrics_table({name: measure(sequence, [hands[hand]], [rows["truth"][hand]]) for name, hands in rows.items()})
    )
draw_picture("two_hands.png", sequence, rows)
print("\nWritten: two_hands.png.")
