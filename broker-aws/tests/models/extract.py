"""Reduces the service models of botocore to what broker-aws is checked against: the members of every structure.

    pip install botocore
    python3 broker-aws/tests/models/extract.py

The models are Apache-2.0, see LICENSE.md beside this file.
"""

import json
import pathlib

import botocore.loaders

HERE = pathlib.Path(__file__).parent
SERVICES = {"sqs": "2012-11-05", "sns": "2010-03-31", "kinesis": "2013-12-02"}


def reduced(model):
    """Operations with their shapes and errors; structures with their members, and which of those must be there."""
    shapes = model["shapes"]
    operations = {
        name: {
            "input": operation.get("input", {}).get("shape"),
            "output": operation.get("output", {}).get("shape"),
            "errors": sorted(error["shape"] for error in operation.get("errors", [])),
        }
        for name, operation in model["operations"].items()
    }
    structures = {
        name: {
            member: {
                "type": shapes[target["shape"]]["type"],
                "shape": target["shape"],
                "required": member in shape.get("required", []),
            }
            for member, target in sorted(shape["members"].items())
        }
        for name, shape in sorted(shapes.items())
        if shape["type"] == "structure"
    }
    lists = {
        name: [shape[part]["shape"] for part in ("member", "key", "value") if part in shape]
        for name, shape in sorted(shapes.items())
        if shape["type"] in ("list", "map")
    }
    enums = {name: shape["enum"] for name, shape in sorted(shapes.items()) if "enum" in shape}
    return {"operations": operations, "structures": structures, "lists": lists, "enums": enums}


for service, version in SERVICES.items():
    model = botocore.loaders.Loader().load_service_model(service, "service-2", version)
    text = json.dumps(reduced(model), indent=1, sort_keys=True)
    (HERE / f"{service}.json").write_text(text + "\n")
