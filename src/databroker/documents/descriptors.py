"""What an Event Descriptor says; where it is malformed, it says nothing."""

from collections.abc import Iterable, Mapping
from typing import Any

DataKey = Mapping[str, Any]


def data_keys_of(described: Mapping[str, Any]) -> dict[str, DataKey]:
    """Return the data keys of a descriptor, or of a device's configuration.

    Examples
    --------
    >>> data_keys_of({"data_keys": {"x": {"dtype": "number", "shape": 3}, "y": None}})
    {'x': {'dtype': 'number'}, 'y': {}}
    """
    return {name: _data_key(said) for name, said in _mapping(described.get("data_keys")).items()}


def _data_key(said: Any) -> DataKey:
    data_key = _mapping(said)
    if type(data_key.get("shape", [])) in (list, tuple):
        return data_key
    return {name: value for name, value in data_key.items() if name != "shape"}


def object_keys_of(descriptor: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the data keys of each device."""
    return {
        device: list(names)
        for device, names in _mapping(descriptor.get("object_keys")).items()
        if isinstance(names, list | tuple)
    }


def configuration_of(descriptor: Mapping[str, Any], device: str) -> Mapping[str, Any]:
    """Return the configuration of a device: its data, timestamps and data keys."""
    said = _mapping(_mapping(descriptor.get("configuration")).get(device))
    return {
        "data": _mapping(said.get("data")),
        "timestamps": _mapping(said.get("timestamps")),
        "data_keys": _mapping(said.get("data_keys")),
    }


def devices_of(descriptors: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the devices of a stream, in order."""
    return list(
        dict.fromkeys(
            device
            for descriptor in descriptors
            for device in (
                *object_keys_of(descriptor),
                *_mapping(descriptor.get("configuration")),
            )
        )
    )


def merged_data_keys(described: Iterable[Mapping[str, Any]]) -> dict[str, DataKey]:
    """Return the union of data keys; the first that has one says what it is."""
    merged: dict[str, DataKey] = {}
    for one in described:
        for name, data_key in data_keys_of(one).items():
            merged.setdefault(name, data_key)
    return merged


def _mapping(value: Any) -> Mapping[str, Any]:
    # To ask for the type first is faster by far, and there are hundreds of data keys.
    return value if type(value) is dict or isinstance(value, Mapping) else {}
