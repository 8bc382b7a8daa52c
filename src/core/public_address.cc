#include "core/public_address.h"

#include <algorithm>
#include <array>
#include <curl/curl.h>
#include <memory>

namespace tandem {
namespace {

struct Block4 {
  std::array<std::uint8_t, 4> start;
  int bits;
};
struct Block6 {
  std::array<std::uint8_t, 16> start;
  int bits;
};

// Source: IANA IPv4 Special-Purpose Address Registry, "globally reachable: false", and multicast.
constexpr Block4 kPrivate4[] = {
    {{0, 0, 0, 0}, 8},        // this network
    {{10, 0, 0, 0}, 8},       // private
    {{100, 64, 0, 0}, 10},    // shared (carriers)
    {{127, 0, 0, 0}, 8},      // loopback
    {{169, 254, 0, 0}, 16},   // link-local; clouds' metadata
    {{172, 16, 0, 0}, 12},    // private
    {{192, 0, 0, 0}, 24},     // protocol assignments
    {{192, 0, 2, 0}, 24},     // documentation
    {{192, 88, 99, 0}, 24},   // 6to4 relays
    {{192, 168, 0, 0}, 16},   // private
    {{198, 18, 0, 0}, 15},    // benchmarking
    {{198, 51, 100, 0}, 24},  // documentation
    {{203, 0, 113, 0}, 24},   // documentation
    {{224, 0, 0, 0}, 4},      // multicast
    {{240, 0, 0, 0}, 4},      // reserved, broadcast
};

constexpr Block6 kGlobal6 = {{0x20}, 3};                   // 2000::/3, all there is
constexpr Block6 kNat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};  // 64:ff9b::/96
// Within 2000::/3. Source: IANA IPv6 Special-Purpose Address Registry.
constexpr Block6 kPrivate6[] = {
    {{0x20, 0x01, 0x00}, 23},              // 2001::/23: Teredo, benchmarking, ORCHID
    {{0x20, 0x01, 0x0d, 0xb8}, 32},        // documentation
    {{0x20, 0x02}, 16},                    // 6to4
    {{0x26, 0x20, 0x00, 0x4f, 0x80}, 48},  // AS112
    {{0x3f, 0xfe}, 16},                    // the 6bone, returned
    {{0x3f, 0xff, 0x00}, 20},              // documentation
};

bool within(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t> start, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (!std::equal(start.begin(), start.begin() + static_cast<std::ptrdiff_t>(whole), bytes.begin()))
    return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const int mask = (0xff << (8 - rest)) & 0xff;
  return (bytes[whole] & mask) == (start[whole] & mask);
}

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

bool has_part(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  const bool there = curl_url_get(url, which, &text, 0) == CURLUE_OK;
  curl_free(text);
  return there;
}

}  // namespace

bool is_public_address(std::span<const std::uint8_t> bytes) {
  if (bytes.size() == 4) {
    return std::none_of(std::begin(kPrivate4), std::end(kPrivate4), [bytes](const Block4& block) {
      return within(bytes, block.start, block.bits);
    });
  }
  if (bytes.size() != 16) return false;
  if (within(bytes, kNat64.start, kNat64.bits)) return is_public_address(bytes.subspan(12));
  if (!within(bytes, kGlobal6.start, kGlobal6.bits)) return false;
  return std::none_of(std::begin(kPrivate6), std::end(kPrivate6), [bytes](const Block6& block) {
    return within(bytes, block.start, block.bits);
  });
}

std::string public_url_problem(const std::string& url) {
  // Where parsers disagree nobody knows which host is meant.
  for (const char c : url) {
    if (c <= ' ' || c == 0x7f || c == '\\')
      return "it has spaces, backslashes or characters outside ASCII; expected them as %XX";
  }
  const std::unique_ptr<CURLU, UrlDeleter> parsed(curl_url());
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return "it is not a URL";
  const auto scheme = part(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return "expected http or https";
  if (has_part(parsed.get(), CURLUPART_USER) || has_part(parsed.get(), CURLUPART_PASSWORD))
    return "it carries a user or password";
  if (has_part(parsed.get(), CURLUPART_ZONEID)) return "its host has a zone";
  if (part(parsed.get(), CURLUPART_HOST).empty()) return "it has no host";
  const auto port = part(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (port != "80" && port != "443") return "its port is " + port + "; expected 80 or 443";
  return {};
}

}  // namespace tandem
