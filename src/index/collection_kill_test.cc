// Acknowledged means committed: a writer is killed with SIGKILL at random instants, while it adds,
// replaces and removes items, writes the graph, makes another model's vectors and switches to them,
// and while it brings an older collection up to date. TANDEM_KILLS=1000 kills it that often.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <map>
#include <sys/wait.h>

#include "core/tensor.h"
#include "index/test_collection.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr int kWidth = 8;
constexpr int kBatch = 5;

int kills() {
  const char* text = std::getenv("TANDEM_KILLS");
  return text != nullptr ? std::atoi(text) : 60;
}

// What step `n` does. Ten steps are a cycle: six add a batch (the third overwrites the second), one
// removes the cycle's first batch, one writes the graph, two change models.
enum class Step { kAdd, kRemove, kGraph, kBeginNext, kSwitch };
Step step_of(int n) {
  constexpr Step kCycle[] = {Step::kAdd,       Step::kAdd,   Step::kAdd,    Step::kAdd,
                             Step::kAdd,       Step::kAdd,   Step::kRemove, Step::kGraph,
                             Step::kBeginNext, Step::kSwitch};
  return kCycle[n % 10];
}

std::string batch_uri(int n, int i) {
  return "b" + std::to_string(n % 10 == 2 ? n - 1 : n) + "/" + std::to_string(i);
}

// The model of cycle `c`, and what its vector for an item with this caption begins with.
std::string model_of(int c) { return c % 2 == 0 ? "even" : "odd"; }
float first_value(const std::string& model, const std::string& caption) {
  return static_cast<float>(std::stoi(caption) % 1000) + (model == "even" ? 0.0F : 0.5F);
}

Matrix vectors_for(const std::string& model, const std::vector<Item>& items) {
  Matrix vectors(items.size(), kWidth);
  for (std::size_t i = 0; i < items.size(); ++i)
    vectors.row(i)[0] = first_value(model, items[i].caption);
  return vectors;
}

void make_next(Collection& collection, const std::string& model, std::size_t most) {
  if (collection.fingerprint() == model) return;  // switched, but not acknowledged
  collection.begin_next({model, model, kWidth});
  for (auto ids = collection.next_missing(20); !ids.empty() && most > 0;
       ids = collection.next_missing(20), --most)
    collection.put_next(ids, vectors_for(model, collection.items(ids)));
}

// Doing a step twice is as doing it once.
void perform(Collection& collection, int n) {
  const std::string next = model_of(n / 10 + 1);
  switch (step_of(n)) {
    case Step::kAdd: {
      std::vector<Item> items(kBatch);
      for (int i = 0; i < kBatch; ++i) {
        items[static_cast<std::size_t>(i)].uri = batch_uri(n, i);
        items[static_cast<std::size_t>(i)].caption = std::to_string(n);
      }
      collection.upsert(items, vectors_for(model_of(n / 10), items));
      return;
    }
    case Step::kRemove: {
      std::vector<std::int64_t> ids;
      for (int i = 0; i < kBatch; ++i) {
        if (const auto item = collection.find_uri(batch_uri(n - 6, i))) ids.push_back(item->id);
      }
      collection.remove(ids);
      return;
    }
    case Step::kGraph:
      collection.update_graph({.minimum_rows = 1, .threads = 1});
      return;
    case Step::kBeginNext:
      make_next(collection, next, 1);
      return;
    case Step::kSwitch:
      make_next(collection, next, SIZE_MAX);
      if (collection.fingerprint() != next) collection.switch_to_next();
      return;
  }
}

// What is there after the steps before `end`: captions by uri, and the model.
struct State {
  std::map<std::string, std::string> captions;
  std::string model = "even";
};
State state_after(int end) {
  State state;
  for (int n = 0; n < end; ++n) {
    for (int i = 0; i < kBatch; ++i) {
      if (step_of(n) == Step::kAdd) state.captions[batch_uri(n, i)] = std::to_string(n);
      if (step_of(n) == Step::kRemove) state.captions.erase(batch_uri(n - 6, i));
    }
    if (step_of(n) == Step::kSwitch) state.model = model_of(n / 10 + 1);
  }
  return state;
}

State state_of(const Collection& collection) {
  State state;
  state.model = collection.fingerprint();
  std::vector<std::int64_t> ids;
  collection.each_known([&](const KnownItem& known) {
    state.captions[known.uri] = known.caption;
    ids.push_back(known.id);
  });
  EXPECT_EQ(collection.size(), ids.size()) << "the count is wrong";
  const Matrix vectors = collection.vectors(ids);
  const auto items = collection.items(ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(vectors.row(i)[0], first_value(state.model, items[i].caption))
        << items[i].uri << " has another's vector";
  }
  const auto query = std::vector<float>(kWidth, 1.0F);
  EXPECT_EQ(collection.search(query, {.top_k = 1'000'000}).size(), ids.size());
  EXPECT_EQ(collection.search(query, {.top_k = 10, .graph_rows = 1}).size(),
            std::min<std::size_t>(10, ids.size()));
  return state;
}

bool same(const State& a, const State& b) { return a.captions == b.captions && a.model == b.model; }

// Runs `child` with the end of a pipe, waits for `acknowledgements` of it and `delay_us` more,
// kills it, and returns the last number that it wrote (`before`: none).
template <typename Child>
int run_and_kill(Child child, int before, std::uint64_t acknowledgements, std::uint64_t delay_us) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    try {
      child(ends[1]);
    } catch (const Error& error) {
      std::fprintf(stderr, "writer: %s\n", error.what());
    }
    ::_exit(3);
  }
  ::close(ends[1]);
  int last = before;
  int n = 0;
  while (acknowledgements-- > 0 && ::read(ends[0], &n, sizeof(n)) == sizeof(n)) last = n;
  ::usleep(static_cast<useconds_t>(delay_us));
  ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself";
  while (::read(ends[0], &n, sizeof(n)) == sizeof(n)) last = n;
  ::close(ends[0]);
  return last;
}

void acknowledge(int pipe, int n) {
  if (::write(pipe, &n, sizeof(n)) != sizeof(n)) ::_exit(2);
}

// What the first search of a new process takes. Processor time: other processes' work is not ours.
double seconds_to_start(const fs::path& dir) {
  const std::clock_t begin = std::clock();
  const Collection reader = Collection::open(dir, OpenMode::kRead, "", "", 0);
  reader.search(std::vector<float>(kWidth, 1.0F), {.graph_rows = 1});
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

TEST(CollectionKill, WhatWasAcknowledgedIsThereWholeAfterAKill) {
  constexpr int kMostSteps = 300;  // then it begins anew, since everything is checked each time
  auto folder = std::make_unique<TestFolder>();
  Rng rng(static_cast<std::uint64_t>(::getpid()));
  int next = 0;
  int steps = 0;
  std::map<Step, int> killed_in;
  for (int round = 0; round < kills(); ++round) {
    if (next >= kMostSteps) {
      folder = std::make_unique<TestFolder>();
      next = 0;
    }
    const fs::path dir = folder->path() / "c.tandem";
    const auto child = [&](int pipe) {
      auto collection =
          Collection::open(dir, OpenMode::kWrite, "", next == 0 ? "even" : "", kWidth);
      for (int n = next;; ++n) {
        perform(collection, n);
        acknowledge(pipe, n);
      }
    };
    const int last = run_and_kill(child, next - 1, rng.below(8), rng.below(6'000));
    steps += last + 1 - next;
    ++killed_in[step_of(last + 1)];
    next = last + 1;
    if (next == 0) continue;  // perhaps it was not made yet
    ASSERT_LT(seconds_to_start(dir), 1.0);
    const State found =
        state_of(Collection::open(dir, OpenMode::kRead, "", "", 0));  // nothing to repair first
    ASSERT_TRUE(same(found, state_after(next)) || same(found, state_after(next + 1)))
        << "after step " << last << " there are " << found.captions.size() << " items, "
        << state_after(next).captions.size() << " were acknowledged";
  }
  EXPECT_GT(steps, kills());
  std::printf(
      "%d kills, %d steps; in adding %d, removing %d, the graph %d, the next model %d, "
      "switching %d\n",
      kills(), steps, killed_in[Step::kAdd], killed_in[Step::kRemove], killed_in[Step::kGraph],
      killed_in[Step::kBeginNext], killed_in[Step::kSwitch]);
}

TEST(CollectionKill, AnOlderCollectionSurvivesBeingBroughtUpToDate) {
  const TestFolder folder;
  const fs::path old = folder.path() / "old.tandem";
  constexpr std::size_t kItems = 2'000;
  Rng rng(static_cast<std::uint64_t>(::getpid()));
  Collection::open(old, OpenMode::kWrite, "mini", "f", kWidth)
      .upsert(numbered_items("a", kItems), random_units(rng, kItems, kWidth));
  run_sql(old,
          "DELETE FROM meta WHERE key = 'count'; DROP TABLE next_vectors;"
          "DROP INDEX items_by_time; DROP INDEX items_by_content;"
          "CREATE INDEX items_by_content ON items(sha256);"
          "ALTER TABLE items DROP COLUMN kind; PRAGMA user_version = 2");
  int finished = 0;
  for (int round = 0; round < kills() / 4; ++round) {
    const fs::path dir = folder.path() / "c.tandem";
    fs::remove_all(dir);
    fs::copy(old, dir, fs::copy_options::recursive);
    const auto child = [&](int pipe) {
      const auto collection = Collection::open(dir, OpenMode::kWrite, "", "", 0);
      acknowledge(pipe, 1);
      ::pause();
    };
    finished += run_and_kill(child, 0, 0, rng.below(40'000));
    const auto collection = Collection::open(dir, OpenMode::kWrite, "", "", 0);
    ASSERT_EQ(collection.size(), kItems);
    ASSERT_EQ(collection.search(random_unit(rng, kWidth), {.top_k = kItems}).size(), kItems);
  }
  std::printf("%d of %d were finished before the kill\n", finished, kills() / 4);
}

}  // namespace
}  // namespace tandem
