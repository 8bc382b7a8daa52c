#include "index/item.h"

namespace tandem {

std::string_view kind_name(ItemKind kind) {
  switch (kind) {
    case ItemKind::kPicture:
      return "picture";
    case ItemKind::kText:
      return "text";
  }
  return "";
}

}  // namespace tandem
