#include "serve/router.h"

#include "serve/target.h"

namespace tandem::serve {
namespace {

std::string_view next_segment(std::string_view& path) {
  path.remove_prefix(1);  // the slash
  const auto end = std::min(path.find('/'), path.size());
  const auto segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

bool fits(std::string_view pattern, std::string_view path,
          std::map<std::string, std::string>& captures) {
  captures.clear();
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = next_segment(pattern);
    const auto given = next_segment(path);
    if (wanted.starts_with('{')) {
      auto text = percent_decoded(given, Plus::kPlus);
      if (!text || text->empty()) return false;
      captures[std::string(wanted.substr(1, wanted.size() - 2))] = *std::move(text);
    } else if (wanted != given) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

void add_method(std::string_view method, std::string& allowed) {
  if (!allowed.empty()) allowed += ", ";
  allowed += method;
  if (method == "GET") allowed += ", HEAD";
}

}  // namespace

Router::Router(std::span<const std::span<const Route>> tables) {
  for (const auto& table : tables) {
    for (const auto& route : table) {
      const auto index = routes_.size();
      routes_.push_back(&route);
      if (route.path.find('{') == std::string_view::npos) {
        plain_[std::string(route.path)].push_back(index);
      } else {
        with_captures_.push_back(index);
      }
    }
  }
}

void Router::consider(std::size_t index, std::string_view method, Match& match) const {
  const auto& route = *routes_[index];
  add_method(route.method, match.allowed);
  const bool answers = route.method == method || (method == "HEAD" && route.method == "GET");
  if (answers && match.route == nullptr) {
    match.route = &route;
    match.index = index;
  }
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match match;
  if (!path.starts_with('/')) return match;
  if (const auto found = plain_.find(std::string(path)); found != plain_.end()) {
    for (const auto index : found->second) consider(index, method, match);
    return match;
  }
  std::map<std::string, std::string> captures;
  for (const auto index : with_captures_) {
    if (!fits(routes_[index]->path, path, captures)) continue;
    const bool undecided = match.route == nullptr;
    consider(index, method, match);
    if (undecided && match.route != nullptr) match.captures = std::move(captures);
  }
  return match;
}

}  // namespace tandem::serve
