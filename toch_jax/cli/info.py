"""`toch info`."""

from toch_jax.base.errors import InputError

PACKAGES = (
    *("toch-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "trimesh"),
    *("tensorflow-datasets", "mujoco", "viser"),
)


def info() -> int:
    """Devices, versions, and which hand models and data sets are installed."""
    from importlib.metadata import PackageNotFoundError, version

    import jax

    from toch_jax.base.errors import extra_with
    from toch_jax.datasets.read import dataset_dir
    from toch_jax.datasets.spec import load_spec, spec_names
    from toch_jax.hand.files import load_hand, mano_place

    for package in PACKAGES:
        try:
            found = version(package)
        except PackageNotFoundError:
            found = f"not installed: pip install 'toch-jax[{extra_with(package)}]'"
        print(f"{package:20} {found}")
    print(f"{'devices':20} {', '.join(str(device) for device in jax.devices())}")
    for model in ("open", "mano"):
        for side in ("right", "left"):
            try:
                hand = load_hand(model, side)
            except InputError:
                print(f"hand {model} {side:9} not here (looked in {mano_place()})")
            else:
                print(f"hand {model} {side:9} {hand.v_template.shape[0]} vertices, {hand.faces.shape[0]} faces")
    for dataset in spec_names():
        folder = dataset_dir(dataset)
        here = (folder / "dataset_info.json").is_file()
        print(f"data {dataset:15} {folder if here else f'not prepared: {load_spec(dataset).how_to_get}'}")
    return 0
