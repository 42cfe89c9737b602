"""`toch prepare`: one function for each data set."""

from typing import Literal

from toch_jax.cli.parse import Folder, OptionalFile, OptionalFolder, Switch


def open_grasps(data_dir: OptionalFolder = None) -> int:
    """Generate open_grasps: hands that grasp, move and put down common objects, one and two hands.

    Args:
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
    """
    from toch_jax.datasets.open_grasps import prepare

    print(prepare(data_dir))
    return 0


def myodm(data_dir: OptionalFolder = None, wheel: OptionalFile = None) -> int:
    """Download MyoDM's recordings of real grasps with pip and retarget them to the open hand.

    Args:
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        wheel: The myosuite wheel, if it was downloaded by hand.
    """
    from toch_jax.datasets.myodm import prepare

    print(prepare(data_dir, wheel=wheel))
    return 0


def grab(raw: Folder, data_dir: OptionalFolder = None, toch_rules: Switch = False) -> int:
    """Read GRAB from your own download.

    GRAB may not be passed on. Register at grab.is.tue.mpg.de, download the ten subjects, the object meshes and the
    subject meshes, and unzip them into one folder, which then holds grab/s1/*.npz to grab/s10/*.npz,
    tools/object_meshes/contact_meshes/*.ply and tools/subject_meshes/{female,male}/*.ply. MANO's files
    (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their folder.

    Args:
        raw: The folder that holds grab/ and tools/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        toch_rules: Only the clips that TOCH was trained on, one hand each; the data set is then grab_toch.
    """
    from toch_jax.datasets.grab import prepare

    print(prepare(raw, data_dir, toch_rules))
    return 0


def arctic(raw: Folder, data_dir: OptionalFolder = None, protocol: Literal["p1", "p2"] = "p1") -> int:
    """Read ARCTIC from your own download.

    ARCTIC may not be passed on. Register at arctic.is.tue.mpg.de, clone its repository (zc-alexfan/arctic), and run its
    bash/download_misc.sh and scripts_data/unzip_download.py (some 300 MB, no images); unpack/arctic_data/data then
    holds raw_seqs, meta and splits_json. MANO's files (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their
    folder.

    Args:
        raw: The folder that holds raw_seqs, meta and splits_json.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        protocol: The official splits; with p2 the data set is arctic_p2.
    """
    from toch_jax.datasets.arctic import prepare

    print(prepare(raw, data_dir, protocol))
    return 0
