"""`toch prepare` of the data sets that are generated here."""

from toch_jax.cli.parse import OptionalFolder, typed


def open_grasps(data_dir: OptionalFolder = None, processes: int | None = None) -> int:
    """Generate open_grasps: hands that grasp, move and put down common objects, one and two hands.

    Args:
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        processes: Clips are made by this many processes at once; by default one for each core, at most 8.
    """
    from toch_jax.datasets.open_grasps import prepare

    print(prepare(data_dir, processes=processes))
    return 0


def open_grasps_large(data_dir: OptionalFolder = None, processes: int | None = None) -> int:
    """Generate open_grasps_large: ten times open_grasps, one hand, objects of random proportions. An hour or more.

    Args:
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        processes: Clips are made by this many processes at once; by default one for each core, at most 8.
    """
    from toch_jax.datasets.open_grasps.large import prepare

    print(prepare(data_dir, processes=processes))
    return 0


GENERATED = {"open_grasps": typed(open_grasps), "open_grasps_large": typed(open_grasps_large)}
