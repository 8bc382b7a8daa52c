// Which route answers a method and a path. Immutable; safe to share.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "serve/route.h"

namespace tandem::serve {

class Router {
 public:
  // The tables must outlive the router. Of two rows for the same method and path the first counts.
  explicit Router(std::span<const std::span<const Route>> tables);

  struct Match {
    const Route* route = nullptr;                 // null: no such path, or not with this method
    std::size_t index = 0;                        // of the route among all
    std::map<std::string, std::string> captures;  // decoded
    std::string allowed;  // methods of the path, "GET, HEAD, POST"; empty: no such path
  };
  // HEAD is answered by GET's route. A path without captures goes before one with. path: not
  // decoded, its escapes known to be sound.
  Match match(std::string_view method, std::string_view path) const;

  std::size_t size() const { return routes_.size(); }
  const Route& route(std::size_t index) const { return *routes_[index]; }

 private:
  void consider(std::size_t index, std::string_view method, Match& match) const;
  std::vector<const Route*> routes_;
  std::unordered_map<std::string, std::vector<std::size_t>> plain_;  // path: routes
  std::vector<std::size_t> with_captures_;
};

}  // namespace tandem::serve
