// The members of a tar archive held in memory: ustar, pax (path, size), GNU long names, base-256
// sizes, old V7 headers. Every header's checksum is verified. Borrows the bytes. One thread.
//   archive := member* zero_block{2} ;  member := (extension_header data)* header:512 data padding
//   to 512
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace tandem {

struct TarMember {
  std::string name;
  bool regular = false;  // false: folder, link, device …; those have no data here
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

enum class TarEvent {
  kMember,   // `member` is whole
  kDamaged,  // a header that is not one; reading goes on at the next header that is. `problem` says
             // what
  kCutShort,  // the bytes end inside a member or without an end marker; the last event
  kTrailing,  // data after the end marker, as in archives put together with cat; it is not read;
              // the last event
  kEnd,       // the end marker; the last event
};

class TarReader {
 public:
  explicit TarReader(std::span<const std::byte> tar) : tar_(tar) {}

  TarEvent next();
  const TarMember& member() const { return member_; }
  const std::string& problem() const { return problem_; }

 private:
  TarEvent at_zero_block();
  TarEvent damaged(std::string problem);
  bool read_extension(char type, std::uint64_t offset, std::uint64_t size);

  std::span<const std::byte> tar_;
  std::uint64_t position_ = 0;
  TarMember member_;
  std::string problem_;
  // What extension headers said about the member that follows them.
  std::optional<std::string> next_name_;
  std::optional<std::uint64_t> next_size_;
};

}  // namespace tandem
