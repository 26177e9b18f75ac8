"""The one schema of `fourfold compare --format=json` and of the quantizer's report.json."""

NUMBER = (int, float)
SHARE = "share"  # a number from 0 to 1

SCHEMA = {
    "model": str,
    "version": int,
    "cpu": {"isa": str, "threads": int},
    "variants": [{
        "variant": str,
        "default": bool,
        "size": {"file_bytes": int, "weight_bytes": int, "resident_bytes": int},
        "latency": {"batch": int, "threads": int, "p50_ms": NUMBER, "p90_ms": NUMBER,
                    "p99_ms": NUMBER, "throughput_per_s": NUMBER},
        "accuracy": {
            "labelled": {"samples": int, "top1": SHARE, "top5": SHARE},
            "fidelity": {"samples": int, "top1_agreement": SHARE, "agreement_low95": SHARE,
                         "sqnr_db": NUMBER, "cosine": NUMBER}},
        "executed": {"int8_macs": SHARE, "fp16_macs": SHARE, "kernels": dict},
        "versus_fp32": {"speedup": NUMBER, "size_ratio": NUMBER, "top1_delta": NUMBER},
    }],
}


def differences(value, schema=None, where="$"):
    """Sentences on what of `value` is not as the schema says; further fields are allowed."""
    schema = SCHEMA if schema is None else schema
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is not an object"]
        found = []
        for key, part in schema.items():
            if key not in value:
                found.append(f"{where}.{key} is missing")
            else:
                found += differences(value[key], part, f"{where}.{key}")
        return found
    if isinstance(schema, list):
        if not isinstance(value, list) or not value:
            return [f"{where}: {value!r} is not a filled array"]
        return [line for i, item in enumerate(value)
                for line in differences(item, schema[0], f"{where}[{i}]")]
    if schema == SHARE:
        good = isinstance(value, NUMBER) and not isinstance(value, bool) and 0 <= value <= 1
    elif schema is bool:
        good = isinstance(value, bool)
    else:
        good = isinstance(value, schema) and not isinstance(value, bool)
    return [] if good else [f"{where}: {value!r} is not {schema}"]
