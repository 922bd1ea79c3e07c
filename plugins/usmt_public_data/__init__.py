"""Public datasets, read as they are downloaded."""

from usmt import Dataset, hookimpl


@hookimpl
def usmt_datasets() -> list[type[Dataset]]:
    return []
