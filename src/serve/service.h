// What the routes work with: models that compute, collections that are searched, child processes
// that decode. Safe to share between threads.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tandem/matrix.h"
#include "tandem/model.h"

#include "index/store.h"
#include "serve/batcher.h"
#include "serve/decoders.h"
#include "serve/message.h"
#include "serve/metrics.h"
#include "tasks/relevance.h"

namespace tandem::serve {

// A model and its queue.
struct ServedModel {
  std::string name;
  Model model;
  std::string fingerprint;
  std::vector<std::string> templates;  // for labels; each with "{}"
  std::unique_ptr<Batcher> batcher;
};

// A collection or database that is searched, and the model that it was made with.
struct Shelf {
  std::string name;      // "pictures": of pictures.tandem, or the database's last path part
  std::string location;  // as it was given
  std::shared_ptr<Store> store;
  std::shared_ptr<const ServedModel> model;
  std::shared_ptr<const Calibration> calibration;  // null: none
  bool writable = false;
};

struct ServiceOptions {
  std::vector<std::string> collections;  // locations
  std::vector<std::string> models;       // names; the first is the default
  bool writable = false;                 // items may be added and deleted
  bool fetch_urls = false;               // pictures by URL
  BatcherOptions batcher;
  DecodersOptions decoders;
  std::size_t max_image_bytes = std::size_t{20} << 20;
  std::int64_t max_pixels = 33'554'432;
  std::size_t max_batch_items = 32;  // inputs of one request
  std::vector<std::string> null_captions;
  std::filesystem::path assets;  // prompts/NAME.txt: sets of templates
  // Loads a model by name, with the caller's options for threads, precision and places.
  std::function<Model(const std::string& name)> load_model;
  std::function<std::vector<std::string>(const Model&)> templates_of;
};

class Service {
 public:
  explicit Service(ServiceOptions options);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const ServiceOptions& options() const;
  Metrics& metrics();

  // Those served, the default first.
  std::vector<std::shared_ptr<const ServedModel>> models() const;
  // Empty: the default. Throws HttpError 404 "model_not_found".
  std::shared_ptr<const ServedModel> model(const std::string& name) const;

  std::vector<std::shared_ptr<const Shelf>> shelves() const;
  // Empty: the only one, or the first. Throws HttpError 404 "collection_not_found". A collection
  // that was re-embedded with another model since comes with that model, loaded by now.
  std::shared_ptr<const Shelf> shelf(const std::string& name);

  // (N,E) unit rows. Throw HttpError: 413 for more items or longer texts than allowed, 422 for a
  // picture that cannot be read (`param` says which: "input[3]"), 429, 503; Error.
  Matrix embed_texts(const ServedModel& model, const std::vector<std::string>& texts,
                     const Request& request);
  struct Picture {
    std::vector<std::byte> bytes;
    std::optional<Region> region;
  };
  Matrix embed_pictures(const ServedModel& model, const std::vector<Picture>& pictures,
                        const Request& request);
  // The size of each picture embedded above, where wanted.
  DecodedPicture decode(const ServedModel& model, const Picture& picture, const Request& request);
  // A JPEG of a stored picture, its longer side at most `side_px`. Keeps the latest in memory.
  // Throws HttpError 404 when the file is gone.
  std::vector<std::byte> preview(const Shelf& shelf, const Item& item, int side_px,
                                 const Request& request);

  // A picture as dialects name it: "data:image/png;base64,…", plain base64, or http(s)://… where
  // that is on. Throws HttpError 400 "url_forbidden" (one text for all causes), 413, 422.
  std::vector<std::byte> picture_bytes(const std::string& source, const Request& request);

  bool ready() const;  // models are loaded, collections open, not draining
  void drain();        // from now on not ready

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace tandem::serve
