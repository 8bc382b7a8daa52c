#include "core/zip.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <fmt/format.h>
#include <set>
#include <zlib.h>

#include "core/byte_reader.h"
#include "core/error.h"

namespace tandem {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::uint32_t kCentral = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kLocatorBytes = 20;
constexpr std::size_t kMaxEntries = 100'000;  // as many as safetensors may have tensors
constexpr std::uint32_t kFull32 = 0xFFFF'FFFF;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
// Flags that change nothing here: effort of deflate (1, 2), sizes after the data (3), UTF-8 (11).
constexpr std::uint16_t kHarmless = 0x080E;
constexpr std::uint16_t kMaxVersion = 63;   // the highest that zipfile reads
constexpr std::uint64_t kMaxGrowth = 1032;  // of deflate: 258 bytes in 2 bits

struct Directory {
  std::uint64_t entries, bytes, offset;
};

// An entry of the central directory before its local header has been looked at.
struct Listed {
  ZipEntry entry;
  std::uint16_t method;
  std::uint64_t packed_bytes;
  std::uint64_t offset;
};

[[noreturn]] void corrupt(const std::string& where, const std::string& problem) {
  throw Error(Kind::kCorrupt,
              fmt::format("{}: {} The file is damaged or not a zip archive.", where, problem));
}

void check_single_disk(bool single, const std::string& where) {
  if (!single) throw Error(Kind::kUnsupported, where + ": a zip archive on several disks.");
}

// Where the central directory is said to be, by a zip64 record if there is one.
Directory read_end(std::span<const std::byte> bytes, const std::string& where) {
  if (bytes.size() < kEndBytes) corrupt(where, fmt::format("Only {} bytes.", bytes.size()));
  const std::size_t end_at = bytes.size() - kEndBytes;
  ByteReader end(bytes.subspan(end_at), where);
  if (end.u32("end record") != kEnd) corrupt(where, "No end record in the last 22 bytes.");
  check_single_disk(end.u32("disks") == 0, where);
  const std::uint16_t here = end.u16("entries here");
  Directory d{end.u16("entries"), end.u32("directory bytes"), end.u32("directory offset")};
  if (end.u16("comment bytes") != 0) corrupt(where, "A comment is announced, but not there.");
  std::size_t directory_end = end_at;
  if (here != d.entries) corrupt(where, "The end record counts entries in two ways.");
  const bool locator =
      end_at >= kLocatorBytes + kEnd64Bytes &&
      ByteReader(bytes.subspan(end_at - kLocatorBytes), where).u32("") == kLocator64;
  if (locator) {
    directory_end = end_at - kLocatorBytes - kEnd64Bytes;
    ByteReader r(bytes.subspan(directory_end), where);
    if (r.u32("zip64 end record") != kEnd64) corrupt(where, "No zip64 end record at its locator.");
    if (r.u64("zip64 end bytes") != kEnd64Bytes - 12)
      throw Error(Kind::kUnsupported, where + ": a zip64 end record with extensions.");
    r.skip(4, "versions");
    check_single_disk(r.u64("disks") == 0, where);
    const std::uint64_t here64 = r.u64("entries here");
    d = {r.u64("entries"), r.u64("directory bytes"), r.u64("directory offset")};
    if (here64 != d.entries) corrupt(where, "The zip64 record counts entries in two ways.");
    r.skip(4, "locator");
    check_single_disk(r.u32("disk") == 0, where);
    if (r.u64("zip64 end offset") != directory_end)
      corrupt(where, "The zip64 locator points elsewhere.");
    check_single_disk(r.u32("disks") == 1, where);
  }
  if (checked_add(d.offset, d.bytes, where + ": directory") != directory_end) {
    corrupt(where, fmt::format("The directory is said to be {} bytes at {}, but ends at {}.",
                               d.bytes, d.offset, directory_end));
  }
  if (d.entries > kMaxEntries)
    corrupt(where, fmt::format("{} entries. Expected at most {}.", d.entries, kMaxEntries));
  return d;
}

// Extra fields: (id:u16 bytes:u16 data)*. Fields of 0xFFFFFFFF continue in id 1.
void read_extra(std::span<const std::byte> bytes, Listed& e, const std::string& where) {
  ByteReader extra(bytes, where + ": extra field");
  bool seen = false;
  while (extra.remaining() > 0) {
    const std::uint16_t id = extra.u16("id");
    const std::uint16_t size = extra.u16("bytes");
    ByteReader field(extra.take(size, "data"), where + ": zip64 field");
    if (id != 1) continue;
    if (seen) corrupt(where, "Two zip64 fields of one entry.");
    seen = true;
    if (e.entry.size == kFull32) e.entry.size = field.u64("size");
    if (e.packed_bytes == kFull32) e.packed_bytes = field.u64("packed size");
    if (e.offset == kFull32) e.offset = field.u64("offset");
  }
}

void check_name(const std::string& name, const std::string& where) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(),
                                                  [](char c) { return c >= ' ' && c <= '~'; });
  if (!plain) corrupt(where, "An entry's name is not printable ASCII.");
}

Listed read_central(ByteReader& r, const std::string& where) {
  if (r.u32("directory") != kCentral) corrupt(where, "An entry of the directory has no signature.");
  r.skip(2, "made by");
  const std::uint16_t version = r.u16("version");
  const std::uint16_t flags = r.u16("flags");
  Listed e{};
  e.method = r.u16("method");
  r.skip(4, "time");
  e.entry.crc = r.u32("crc");
  e.packed_bytes = r.u32("packed size");
  e.entry.size = r.u32("size");
  const std::uint16_t name_bytes = r.u16("name bytes");
  const std::uint16_t extra_bytes = r.u16("extra bytes");
  const std::uint16_t comment_bytes = r.u16("comment bytes");
  check_single_disk(r.u16("disk") == 0, where);
  r.skip(6, "attributes");
  e.offset = r.u32("offset");
  e.entry.name = r.text(name_bytes, "name");
  check_name(e.entry.name, where);
  const std::string entry = where + ": " + e.entry.name;
  read_extra(r.take(extra_bytes, "extra"), e, entry);
  r.skip(comment_bytes, "comment");
  if (version > kMaxVersion || (flags & ~kHarmless) != 0) {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: zip version {}, flags {:#x}: encrypted or of a later kind. "
                            "Expected what numpy.savez writes.",
                            entry, version, flags));
  }
  if (e.method != kStored && e.method != kDeflated)
    throw Error(
        Kind::kUnsupported,
        fmt::format("{}: compression method {}. Expected stored or deflated.", entry, e.method));
  e.entry.deflated = e.method == kDeflated;
  if (!e.entry.deflated && e.packed_bytes != e.entry.size)
    corrupt(entry, "A stored entry with two sizes.");
  if (e.entry.size / kMaxGrowth > e.packed_bytes)
    corrupt(entry, fmt::format("{} bytes cannot unpack to {}.", e.packed_bytes, e.entry.size));
  return e;
}

// Finds the contents behind the local header, which must agree and end before `limit`.
void locate(Listed& e, std::span<const std::byte> bytes, std::uint64_t limit,
            const std::string& where) {
  const std::string entry = where + ": " + e.entry.name;
  if (e.offset > limit) corrupt(entry, "Begins after the next entry.");
  ByteReader r(bytes.first(static_cast<std::size_t>(limit)), entry);
  r.skip(e.offset, "offset");
  if (r.u32("local header") != kLocal) corrupt(entry, "No local header at its offset.");
  r.skip(2, "version");
  const bool same_flags = (r.u16("flags") & ~kHarmless) == 0;
  if (!same_flags || r.u16("method") != e.method)
    corrupt(entry, "The local header disagrees with the directory.");
  r.skip(16, "time, crc and sizes");  // zip64 or behind the data: the directory's count
  const std::uint16_t name_bytes = r.u16("name bytes");
  const std::uint16_t extra_bytes = r.u16("extra bytes");
  if (r.text(name_bytes, "name") != e.entry.name)
    corrupt(entry, "The local header names another entry.");
  r.skip(extra_bytes, "extra");
  e.entry.packed = r.take(e.packed_bytes, "contents");
}

void check_crc(std::span<const std::byte> contents, const ZipEntry& entry,
               const std::string& where) {
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(contents.data()), contents.size());
  if (static_cast<std::uint32_t>(crc) != entry.crc)
    corrupt(where + ": " + entry.name, "The contents do not have the checksum that they should.");
}

// zlib's state for raw deflate, freed with it.
class Inflater {
 public:
  explicit Inflater(const std::string& where) : where_(where) {
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw Error(Kind::kInternal, "zlib: no state");
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Unpacks exactly all of `from` to exactly all of `into`.
  void run(std::span<const std::byte> from, std::span<std::byte> into) {
    constexpr std::size_t kStep = std::size_t{1} << 30;  // avail_in and avail_out are 32-bit
    std::byte past{};  // so that an empty entry has somewhere not to write
    std::size_t in = 0;
    std::size_t out = 0;
    int status = Z_OK;
    while (status == Z_OK) {
      const std::size_t give = std::min(kStep, from.size() - in);
      const std::size_t room = std::min(kStep, into.size() - out);
      stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(from.data() + in));
      stream_.avail_in = static_cast<uInt>(give);
      stream_.next_out = reinterpret_cast<Bytef*>(into.empty() ? &past : into.data() + out);
      stream_.avail_out = static_cast<uInt>(room);
      status = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t used = give - stream_.avail_in;
      const std::size_t made = room - stream_.avail_out;
      in += used;
      out += made;
      if (status == Z_OK && used == 0 && made == 0) break;
    }
    if (status != Z_STREAM_END || in != from.size() || out != into.size())
      corrupt(where_, "The compressed contents do not unpack to their size.");
  }

 private:
  const std::string& where_;
  z_stream stream_{};
};

}  // namespace

std::vector<ZipEntry> parse_zip(std::span<const std::byte> bytes, const std::string& where) {
  ByteReader start(bytes, where);
  const std::uint32_t magic = start.u32("signature");
  if (magic != kLocal && magic != kEnd) corrupt(where, "Does not begin as a zip archive does.");
  const Directory directory = read_end(bytes, where);
  ByteReader r(bytes.subspan(static_cast<std::size_t>(directory.offset),
                             static_cast<std::size_t>(directory.bytes)),
               where);
  std::vector<Listed> listed;
  std::set<std::string, std::less<>> names;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    listed.push_back(read_central(r, where));
    const std::string& name = listed.back().entry.name;
    if (!names.insert(name).second) corrupt(where, fmt::format("Two entries \"{}\".", name));
  }
  if (r.remaining() != 0) corrupt(where, "The directory is longer than its entries.");
  // From the last to the first by position, each ends before the next begins.
  std::vector<std::size_t> order(listed.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return listed[a].offset > listed[b].offset; });
  std::uint64_t limit = directory.offset;
  for (const std::size_t i : order) {
    locate(listed[i], bytes, limit, where);
    limit = listed[i].offset;
  }
  std::vector<ZipEntry> entries;
  entries.reserve(listed.size());
  for (Listed& e : listed) entries.push_back(std::move(e.entry));
  return entries;
}

std::vector<std::byte> unpack(const ZipEntry& entry, const std::string& where) {
  if (!entry.deflated) {
    check_stored(entry, where);
    return {entry.packed.begin(), entry.packed.end()};
  }
  std::vector<std::byte> contents(static_cast<std::size_t>(entry.size));
  const std::string name = where + ": " + entry.name;
  Inflater(name).run(entry.packed, contents);
  check_crc(contents, entry, where);
  return contents;
}

void check_stored(const ZipEntry& entry, const std::string& where) {
  assert(!entry.deflated);
  check_crc(entry.packed, entry, where);
}

}  // namespace tandem
