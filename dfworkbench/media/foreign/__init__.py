"""Safe readers for untrusted files: pickles, torch files, HDF5 and JSON, without executing anything and in bounded memory.

`read_json`, `read_arrays`, `read_values`, `read_tensors`, `read_safetensors`, `load_torch` and `read_hdf5` read a whole file.
`bounded_memory` and `require_cells` guard other libraries' readers.
"""

from dfworkbench.media.foreign.hdf5 import read_hdf5
from dfworkbench.media.foreign.memory import MOST_EXTRA_BYTES, bounded_memory, parse_json, read_json, require_cells
from dfworkbench.media.foreign.numpy_pickles import read_arrays, read_values
from dfworkbench.media.foreign.safetensors_files import is_safetensors, read_safetensors
from dfworkbench.media.foreign.torch_files import load_torch, read_tensors

__all__ = [
    "MOST_EXTRA_BYTES", "bounded_memory", "is_safetensors", "load_torch", "parse_json", "read_arrays", "read_hdf5", "read_json",
    "read_safetensors", "read_tensors", "read_values", "require_cells",
]  # fmt: skip
