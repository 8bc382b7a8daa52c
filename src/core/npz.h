// Reads NumPy's .npz: a zip archive of .npy arrays, as numpy.savez and savez_compressed write it.
//   array  := "\x93NUMPY" major:u8 minor:u8 header_bytes:(u16 in version 1, else u32) header data
//   header := "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }" spaces "\n"
// Accepts only headers as NumPy writes them, so nothing that numpy.load refuses. Arrays in Fortran
// order are laid out anew. bfloat16, for which NumPy has no name, is '|V2' or '<V2'.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "core/tensor.h"

namespace tandem {

// Maps the file and checks every byte of it. Names are those of numpy.load(path).files (without
// ".npy"). Stored arrays stay in the mapping. Throws kNotFound, kIo, kCorrupt, kUnsupported (Python
// objects, other dtypes, big-endian numbers), naming the array.
TensorMap read_npz(const std::filesystem::path& path);

// The same over bytes that the caller keeps alive (fuzzing, tests).
TensorMap parse_npz(std::span<const std::byte> bytes, const std::string& where);

}  // namespace tandem
