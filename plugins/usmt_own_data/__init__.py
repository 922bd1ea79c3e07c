"""Data of a laboratory of its own, described in YAML: folders of images, or a table of them."""

from usmt import Dataset, hookimpl
from usmt_own_data.csv_dataset import Csv
from usmt_own_data.folder_dataset import Folder

__all__ = ["Csv", "Folder"]


@hookimpl
def usmt_datasets() -> list[type[Dataset]]:
    return [Folder, Csv]
