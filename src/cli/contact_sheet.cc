#include "cli/contact_sheet.h"

#include <algorithm>
#include <fmt/format.h>

#include "cli/console.h"
#include "core/files.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

// Pictures up to this size are put into the page, so that it can be moved and mailed.
constexpr std::size_t kEmbedBytes = 128 * 1024;

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: 'self' file:; style-src 'unsafe-inline'">
<style>
:root { --ground: #f6f5f2; --card: #fff; --tile: #fff; --ink: #1d1c1a; --soft: #6b6862; --line: #e4e1da; --accent: #b4552d; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #171614; --card: #211f1d; --tile: #fff; --ink: #f0ede7; --soft: #a39e94; --line: #34312d; --accent: #e8956b; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: clamp(1rem, 4vw, 3rem); background: var(--ground); color: var(--ink);
  font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
header { margin-bottom: 2.5rem; }
h1 { margin: 0; font-size: clamp(1.5rem, 5vw, 2.1rem); letter-spacing: -.02em; }
header p { margin: .35rem 0 0; color: var(--soft); }
section { margin: 0 0 2.75rem; }
h2 { margin: 0 0 .8rem; font-size: 1.2rem; font-weight: 600; }
h2::before { content: "\201C"; color: var(--accent); } h2::after { content: "\201D"; color: var(--accent); }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: clamp(.4rem, 1vw, .75rem); grid-template-columns: repeat(auto-fill, minmax(min(7.4rem, 20vw), 1fr)); }
li { background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; display: flex; flex-direction: column; }
li:first-child { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.tile { background: var(--tile); aspect-ratio: 1; display: grid; place-items: center; padding: 12%; }
.tile img { width: 100%; height: 100%; object-fit: contain; }
.about { padding: .45rem clamp(.4rem, 1vw, .65rem) .5rem; border-top: 1px solid var(--line); flex: 1; display: flex; flex-direction: column; justify-content: space-between; gap: .4rem; }
.name { font-size: clamp(.72rem, 2.2vw, .85rem); line-height: 1.3; overflow-wrap: anywhere; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden; }
.score { display: flex; align-items: center; gap: .45rem; font-size: .75rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.score i { flex: 1; height: 4px; border-radius: 2px; background: var(--line); overflow: hidden; }
.score b { display: block; height: 100%; background: var(--accent); border-radius: 2px; }
.none { color: var(--soft); }
footer { color: var(--soft); font-size: .85rem; border-top: 1px solid var(--line); padding-top: 1rem; }
</style>
)";

std::string html(std::string_view text) {
  std::string out;
  for (const char c : escape(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string base64(std::span<const std::byte> bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t k) {
      return i + k < bytes.size() ? std::to_integer<unsigned>(bytes[i + k]) : 0U;
    };
    const unsigned three = at(0) << 16U | at(1) << 8U | at(2);
    const auto digits = std::min<std::size_t>(bytes.size() - i, 3) + 1;
    for (std::size_t d = 0; d < 4; ++d)
      out += d < digits ? kDigits[three >> (18 - 6 * d) & 63U] : '=';
  }
  return out;
}

// What browsers call the format, by its first bytes; empty for others.
std::string_view media_type(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 12));
  if (text.starts_with("\x89PNG")) return "image/png";
  if (text.starts_with("\xff\xd8")) return "image/jpeg";
  if (text.starts_with("GIF8")) return "image/gif";
  if (text.starts_with("RIFF") && text.ends_with("WEBP")) return "image/webp";
  return "";
}

// Bytes that need no percent sign in a URL's path (RFC 3986, section 3.3); "/" separates.
std::string url_path(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// The picture's src, empty when the file is gone.
std::string source_of(const fs::path& picture, const fs::path& page) {
  std::error_code error;
  const auto size = fs::file_size(picture, error);
  if (error) return "";
  if (size <= kEmbedBytes) {
    const auto bytes = read_file(picture, kEmbedBytes);
    if (const auto type = media_type(bytes); !type.empty())
      return fmt::format("data:{};base64,{}", type, base64(bytes));
  }
  return "./" + url_path(fs::relative(picture, fs::absolute(page).parent_path(), error).string());
}

std::string card(const Hit& hit, float best, const fs::path& page) {
  const auto name = hit.caption.empty() ? fs::path(hit.uri).filename().string() : hit.caption;
  const auto source = source_of(hit.uri, page);
  const auto share = best > 0 ? std::clamp(hit.score / best, 0.0F, 1.0F) : 0.0F;
  std::string text = fmt::format("<li title=\"{}\"><div class=\"tile\">", html(hit.uri));
  if (source.empty()) {
    text += "<span class=\"none\">gone</span>";
  } else {
    text += fmt::format("<img src=\"{}\" alt=\"{}\" loading=\"lazy\">", source, html(name));
  }
  text += fmt::format(
      "</div><div class=\"about\"><span class=\"name\">{}</span><span class=\"score\"><i><b "
      "style=\"width:{:.0f}%\"></b></i>{:.3f}</span></div></li>\n",
      html(name), 100 * share, hit.score);
  return text;
}

}  // namespace

void write_contact_sheet(const fs::path& file, const Sheet& sheet) {
  if (file.has_parent_path()) fs::create_directories(file.parent_path());
  AtomicFile out(file);
  out.write(kHead);
  out.write(fmt::format("<title>{0}</title>\n<header><h1>{0}</h1><p>{1}</p></header>\n<main>\n",
                        html(sheet.title), html(sheet.subtitle)));
  for (const auto& row : sheet.rows) {
    out.write(fmt::format("<section><h2>{}</h2>\n", html(row.query)));
    if (row.hits.empty()) out.write("<p class=\"none\">Nothing matches.</p>\n");
    if (!row.hits.empty()) out.write("<ol>\n");
    for (const auto& hit : row.hits) out.write(card(hit, row.hits.front().score, file));
    out.write(row.hits.empty() ? "</section>\n" : "</ol></section>\n");
  }
  out.write(
      "</main>\n<footer>Numbers are cosine similarities: they compare pictures within one query, "
      "not queries with each other.</footer>\n</html>\n");
  out.commit();
}

}  // namespace tandem::cli
