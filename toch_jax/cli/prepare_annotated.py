"""`toch prepare`, for data sets of annotated video."""

from typing import Literal

from toch_jax.cli.parse import Folder, OptionalFolder, typed


def _prepare(name: str, source: Folder, data_dir: OptionalFolder) -> int:
    from toch_jax.datasets.annotated import prepare

    print(prepare(name, source, data_dir))
    return 0


def ho3d(source: Folder, data_dir: OptionalFolder = None) -> int:
    """Read HO-3D (version 2 or 3) from your own download.

    Get HO-3D from its page (github.com/shreyashampali/ho3d) and put the models of YCB-Video beside train. MANO's files
    (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their folder. No images are read.

    Args:
        source: The folder that holds train/ and models/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
    """
    return _prepare("ho3d", source, data_dir)


def dexycb(source: Folder, data_dir: OptionalFolder = None, protocol: Literal["s0", "s1", "s2", "s3"] = "s0") -> int:
    """Read DexYCB from your own download.

    Get the ten subjects, calibration and models from dex-ycb.github.io; of each sequence meta.yml and pose.npz are
    read. MANO's files (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their folder.

    Args:
        source: The folder that holds the subjects, calibration/ and models/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        protocol: The official splits: s0 (the data set dexycb), s1 by subject (dexycb_s1), s3 by grasped object
            (dexycb_s3); s2 by camera (dexycb_s2): each recording before each camera, from its labels.
    """
    return _prepare("dexycb" if protocol == "s0" else f"dexycb_{protocol}", source, data_dir)


def hocap(source: Folder, data_dir: OptionalFolder = None) -> int:
    """Read HO-Cap from your own download.

    Get the subjects, calibration and models from irvlutd.github.io/HOCap; of each sequence meta.yaml, poses_m.npy and
    poses_o.npy are read. MANO's files (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their folder.

    Args:
        source: The folder that holds subject_1/ to subject_9/, calibration/ and models/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
    """
    return _prepare("hocap", source, data_dir)


def h2o(source: Folder, data_dir: OptionalFolder = None) -> int:
    """Read H2O from your own download.

    Register at h2odataset.ethz.ch and get the poses (mode pose or ego) and the objects. MANO's files
    (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their folder. No images are read.

    Args:
        source: The folder that holds subject1/ to subject4/ (or subject1_ego/ and so on) and object/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
    """
    return _prepare("h2o", source, data_dir)


def hoi4d(source: Folder, data_dir: OptionalFolder = None) -> int:
    """Read HOI4D from your own download.

    Get the hand poses, annotations, camera parameters and CAD models from hoi4d.github.io. MANO's files
    (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their folder. Rigid objects only.

    Args:
        source: The folder that holds handpose/, HOI4D_annotations/ and HOI4D_CAD_Model_for_release/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
    """
    return _prepare("hoi4d", source, data_dir)


def contactpose(
    source: Folder, data_dir: OptionalFolder = None, protocol: Literal["objects", "participants"] = "objects"
) -> int:
    """Read ContactPose from your own download.

    Get the grasps and the contact maps, whose meshes are read, by ContactPose's scripts
    (github.com/facebookresearch/ContactPose). MANO's files (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their
    folder.

    Args:
        source: The folder that holds full1_use/ to full50_handoff/ (data/contactpose_data).
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        protocol: The splits of its authors' code: by object, or by participant (contactpose_participants).
    """
    return _prepare("contactpose" if protocol == "objects" else f"contactpose_{protocol}", source, data_dir)


def taco(
    source: Folder, data_dir: OptionalFolder = None, protocol: Literal["all", "s1", "s2", "s3", "s4"] = "all"
) -> int:
    """Read TACO from your own download.

    Get Hand_Poses, Object_Poses and Object_Models from taco2024.github.io, and the list of splits
    v1_overall_data_train_test_split.txt from data_lists of github.com/leolyliu/TACO-Instructions. MANO's files
    (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their folder.

    Args:
        source: The folder that holds Hand_Poses/, Object_Poses/, Object_Models/ and the list of splits.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        protocol: The official tests: all four (the data set taco), or one of them (taco_s1 to taco_s4).
    """
    return _prepare("taco" if protocol == "all" else f"taco_{protocol}", source, data_dir)


def oakink(source: Folder, data_dir: OptionalFolder = None) -> int:
    """Read OakInk-Image from your own download.

    Get the annotation and the objects from oakink.net; no images are read. MANO's files (mano.is.tue.mpg.de) are needed
    too: set $TOCH_MANO to their folder. Splits by object.

    Args:
        source: The folder that holds image/anno/ and image/obj/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
    """
    return _prepare("oakink", source, data_dir)


def oakink2(source: Folder, data_dir: OptionalFolder = None) -> int:
    """Read OakInk2 from your own download.

    Get anno_preview and object_repair from huggingface.co/datasets/kelvin34501/OakInk-v2, and the folder asset/split of
    github.com/oakink/OakInk2-TaMF as split. MANO's files (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their
    folder.

    Args:
        source: The folder that holds anno_preview/, object_repair/ and split/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
    """
    return _prepare("oakink2", source, data_dir)


def hograspnet(source: Folder, data_dir: OptionalFolder = None, protocol: Literal["s0", "s3", "s4"] = "s0") -> int:
    """Read HOGraspNet from your own download.

    Get the annotation and the scanned objects by github.com/UVR-WJCHO/HOGraspNet; no images are read. MANO's files
    (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their folder. Hands whose size is not within 2 % of MANO's
    are left out.

    Args:
        source: The folder that holds labeling_data/ and obj_scanned_models/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
        protocol: The official splits: s0 by trial (the data set hograspnet), s3 by object (hograspnet_s3), s4 by type
            of grasp (hograspnet_s4).
    """
    return _prepare("hograspnet" if protocol == "s0" else f"hograspnet_{protocol}", source, data_dir)


def gigahands(source: Folder, data_dir: OptionalFolder = None) -> int:
    """Read GigaHands from your own download.

    Get hand_poses, object_poses and object_meta by github.com/Kristen-Z/GigaHands; no video is read. MANO's files
    (mano.is.tue.mpg.de) are needed too: set $TOCH_MANO to their folder.

    Args:
        source: The folder that holds hand_poses/, object_poses/ and object_meta/.
        data_dir: Where prepared data sets lie; by default $TOCH_DATA or the user's data folder.
    """
    return _prepare("gigahands", source, data_dir)


ANNOTATED = {
    **{"ho3d": typed(ho3d), "dexycb": typed(dexycb), "hocap": typed(hocap), "h2o": typed(h2o)},
    **{"hoi4d": typed(hoi4d), "contactpose": typed(contactpose), "taco": typed(taco), "oakink": typed(oakink)},
    **{"oakink2": typed(oakink2), "hograspnet": typed(hograspnet), "gigahands": typed(gigahands)},
}
