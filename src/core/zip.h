// Reads zip archives held in memory or mapped: stored and deflated entries, zip64. Stricter than
// most readers on purpose, so that nothing is accepted that Python's zipfile refuses:
//   file    := (local data pad?)* central* (zip64_end zip64_locator)? end      nothing after it
//   local   := "PK\3\4" version:u16 flags:u16 method:u16 time:u32 crc:u32 packed:u32 size:u32
//              name_bytes:u16 extra_bytes:u16 name extra
//   central := "PK\1\2" made_by:u16 version:u16 flags:u16 method:u16 time:u32 crc:u32 packed:u32
//              size:u32 name_bytes:u16 extra_bytes:u16 comment_bytes:u16 disk:u16 internal:u16
//              external:u32 offset:u32 name extra comment
//   end     := "PK\5\6" disk:u16 first_disk:u16 here:u16 entries:u16 bytes:u32 offset:u32 0:u16
// Names are printable ASCII and occur once; entries do not overlap; no encryption, no comment at
// the end. Source: PKWARE APPNOTE 6.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tandem {

struct ZipEntry {
  std::string name;
  std::uint32_t crc = 0;
  bool deflated = false;
  std::uint64_t size = 0;             // of the contents
  std::span<const std::byte> packed;  // as stored; borrowed from the archive
};

// The entries, in the order of the central directory. `where` names the file in messages. Throws
// kCorrupt, kUnsupported (encryption, other methods, several disks).
std::vector<ZipEntry> parse_zip(std::span<const std::byte> bytes, const std::string& where);

// Contents of an entry, checked against its length and CRC. Throws kCorrupt.
// A deflated entry is unpacked; its claimed size is believed only as far as deflate can grow.
std::vector<std::byte> unpack(const ZipEntry& entry, const std::string& where);
// For a stored entry: the same check, without a copy. Requires: !entry.deflated.
void check_stored(const ZipEntry& entry, const std::string& where);

}  // namespace tandem
