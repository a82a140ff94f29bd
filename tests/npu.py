"""An NPU that nobody measured: the properties of one as OpenVINO's own documentation lists them.

Transcribed from the table "Supported Properties" of src/plugins/intel_npu/README.md in openvinotoolkit/openvino, for
the platform 3720. Only what is derived from these (discovery, space, documents) is tested with it.
"""

from ovtune.environment import Device

WRITABLE = (
    "CACHE_DIR",
    "COMPILATION_NUM_THREADS",
    "DEVICE_ID",
    "ENABLE_CPU_PINNING",
    "LOG_LEVEL",
    "MODEL_PRIORITY",
    "NPU_COMPILATION_MODE_PARAMS",
    "NPU_COMPILER_DYNAMIC_QUANTIZATION",
    "NPU_COMPILER_TYPE",
    "NPU_DEFER_WEIGHTS_LOAD",
    "NPU_PLATFORM",
    "NPU_QDQ_OPTIMIZATION",
    "NPU_RUN_INFERENCES_SEQUENTIALLY",
    "NPU_TILES",
    "NPU_TURBO",
    "NUM_STREAMS",
    "PERFORMANCE_HINT",
    "PERFORMANCE_HINT_NUM_REQUESTS",
    "PERF_COUNT",
    "WORKLOAD_TYPE",
)
NPU = Device(
    name="NPU",
    full_name="transcribed NPU 3720, never measured",
    driver="",
    capabilities=("FP16", "INT8", "EXPORT_IMPORT"),
    precision="f16",
    streams=1,
    settings=WRITABLE,
    tiles=2,
)
