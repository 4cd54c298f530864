#include "tests/faults/crash_images.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "broker/store/ring.hpp"
#include "tests/faults/contained.hpp"
#include "tests/faults/image_file.hpp"
#include "tests/faults/report.hpp"
#include "tests/faults/verdict.hpp"

namespace tidegate::faults {
namespace {

constexpr unsigned image_seconds_max = 2;  // of processor time; an image needs milliseconds
constexpr std::uint64_t goes_on_every = 10;
constexpr std::array kind_names{"all", "synced", "subset", "torn"};

// The results of a child, in memory shared with the parent, so that they survive a crash of the child.
struct child_notes {
  std::atomic<std::uint64_t> current;  // the image in work, from 0
  std::atomic<std::uint64_t> images, opened, refused_when_new, lost, damaged;
  std::uint64_t failures_count;
  std::array<std::array<char, 400>, 8> failures;

  void note(const std::string& text) {
    if (failures_count == failures.size()) return;
    auto& line = failures[failures_count++];
    std::snprintf(line.data(), line.size(), "%s", text.c_str());
  }
};

// The place of each image's cut in the recording. Places rise with the image's number, so that one pass over the
// recording makes all images.
class cuts {
 public:
  cuts(const recording& recording, const image_options& options) : options_(options) {
    for (std::size_t i = 0; i < recording.events().size(); ++i) {
      const event::what kind = recording.events()[i].kind;
      // A cut before the file has its final name leaves no store at all, and a start makes a new one.
      if (kind == event::what::name) places_.clear();
      if (kind != event::what::mark) places_.push_back(i);
    }
  }
  // Returns the index of the event before which the power is cut. Marks are never chosen, because only the other events
  // change a file.
  std::size_t place(std::uint64_t image) const {
    const std::uint64_t spread = options_.images < places_.size() ? chance(image).below(1'000) : 0;
    return places_[(image * 1'000 + spread) * places_.size() / (options_.images * 1'000)];
  }
  draw chance(std::uint64_t image) const { return draw(options_.seed * 1'000'003 + image); }

 private:
  image_options options_;
  std::vector<std::size_t> places_;
};

class child {
 public:
  child(const recording& recording, const image_options& options, const cuts& cuts, child_notes& notes,
        const std::filesystem::path& directory)
      : recording_(recording),
        options_(options),
        cuts_(cuts),
        notes_(notes),
        tables_(store_part::tables, options.ignores == ignored_syncs::all || options.ignores == ignored_syncs::tables),
        journal_(store_part::journal,
                 options.ignores == ignored_syncs::all || options.ignores == ignored_syncs::journal),
        tables_file_(directory, store::store_file, small_store{}.bytes_max),
        journal_file_(directory, store::journal_file,
                      store::ring_bytes_when_made(directory, small_store{}.journal_bytes_max)) {}

  void judge_from(std::uint64_t first, std::uint64_t end) {
    for (std::uint64_t image = first; image < end; ++image) {
      notes_.current = image;
      bound_processor_time(image_seconds_max);
      judge_one(image);
      ++notes_.images;
    }
    bound_processor_time(0);
  }

 private:
  void advance_to(std::size_t place) {
    for (; at_ < place; ++at_) {
      const event& next = recording_.events()[at_];
      if (next.kind == event::what::mark) told_.apply(next.bytes);
      tables_.apply(next);
      journal_.apply(next);
    }
  }

  void judge_one(std::uint64_t image) {
    const std::size_t place = cuts_.place(image);
    advance_to(place);
    draw draw = cuts_.chance(image);
    // Drawn for each file, because the kernel may write back either file first.
    const auto draw_kind = [&] {
      return draw.one_of(std::vector{cut_kind::all, cut_kind::all, cut_kind::synced, cut_kind::subset, cut_kind::subset,
                                     cut_kind::subset, cut_kind::torn, cut_kind::torn});
    };
    const cut_kind tables_kind = draw_kind(), journal_kind = draw_kind();
    const event* const in_flight = &recording_.events()[place];
    tables_file_.set(tables_.synced(), tables_.pieces(tables_kind, in_flight, draw));
    journal_file_.set(journal_.synced(), journal_.pieces(journal_kind, in_flight, draw));
    small_store store;
    store.directory = tables_file_.directory();
    const verdict verdict = judge(store, told_, image % goes_on_every == 0);
    if (verdict.refused.empty()) ++notes_.opened;
    if (verdict.is_good()) return;
    if (!told_.is_opened()) {
      if (notes_.refused_when_new++ == 0) notes_.note(describe(image, place, tables_kind, journal_kind, verdict));
      return;
    }
    ++(verdict.has_broken(promise::kept) ? notes_.lost : notes_.damaged);
    notes_.note(describe(image, place, tables_kind, journal_kind, verdict));
  }

  std::string describe(std::uint64_t image, std::size_t place, cut_kind tables, cut_kind journal,
                       const verdict& verdict) const {
    return fmt::format(
        "image {} of {} with seed {}, cut before event {}, of the tables {}, of the journal {} on the "
        "disk{}: {}",
        image + 1, options_.images, options_.seed, place, kind_names[static_cast<std::size_t>(tables)],
        kind_names[static_cast<std::size_t>(journal)], told_.is_opened() ? "" : ", new store", verdict.text());
  }

  const recording& recording_;
  const image_options& options_;
  const cuts& cuts_;
  child_notes& notes_;
  disk tables_, journal_;
  history told_;
  image_file tables_file_, journal_file_;
  std::size_t at_ = 0;
};

// A share of the images, judged by one child after another: after a child that dies, the next one continues after the
// image that killed it.
class share {
 public:
  share(const recording& recording, const image_options& options, const cuts& cuts, std::uint64_t first,
        std::uint64_t end)
      : recording_(recording), options_(options), cuts_(cuts), end_(end) {
    void* const memory =
        ::mmap(nullptr, sizeof(child_notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no shared memory");
    notes_ = new (memory) child_notes{};
    start(first);
  }
  share(const share&) = delete;
  share& operator=(const share&) = delete;
  ~share() { ::munmap(notes_, sizeof(child_notes)); }

  std::uint64_t done() const { return notes_->images + crashed_; }
  // Returns whether the share is done. Starts the next child if one has died.
  bool poll() {
    int status = 0;
    if (is_over_ || ::waitpid(process_, &status, WNOHANG) != process_) return is_over_;
    is_over_ = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (is_over_) return true;
    ++crashed_;
    const std::string cause = WIFSIGNALED(status) ? ::strsignal(WTERMSIG(status)) : "an exception";
    notes_->note(
        fmt::format("image {} of {} with seed {}: {}", notes_->current + 1, options_.images, options_.seed, cause));
    start(notes_->current + 1);
    return false;
  }
  image_tally tally() const {
    image_tally sum{notes_->images + crashed_,
                    notes_->opened,
                    notes_->refused_when_new,
                    notes_->lost,
                    notes_->damaged,
                    crashed_,
                    {}};
    for (std::uint64_t i = 0; i < notes_->failures_count; ++i) sum.failures.emplace_back(notes_->failures[i].data());
    return sum;
  }

 private:
  void start(std::uint64_t first) {
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("cannot fork");
    if (process_ > 0) return;
    contain_this_process();
    // In a control, a store that finds its data inconsistent prints a message and aborts. The notes say the same with
    // the image's number.
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (options_.ignores != ignored_syncs::none) ::dup2(nowhere, STDERR_FILENO);
    int code = 1;
    try {
      child(recording_, options_, cuts_, *notes_, place_.path()).judge_from(first, end_);
      code = 0;
    } catch (const std::exception& cause) {
      notes_->note(cause.what());
    }
    ::_exit(code);
  }

  const recording& recording_;
  const image_options& options_;
  const cuts& cuts_;
  std::uint64_t end_;
  scratch_place place_;
  child_notes* notes_;
  pid_t process_ = -1;
  std::uint64_t crashed_ = 0;
  bool is_over_ = false;
};

}  // namespace

void image_tally::add(const image_tally& other) {
  images += other.images;
  opened += other.opened;
  refused_when_new += other.refused_when_new;
  lost += other.lost;
  damaged += other.damaged;
  crashed += other.crashed;
  failures.insert(failures.end(), other.failures.begin(), other.failures.end());
}

image_tally judge_images(const recording& recording, const image_options& options,
                         const std::function<void(std::uint64_t)>& progress) {
  const cuts cuts(recording, options);
  const std::uint64_t first = options.only == 0 ? 0 : options.only - 1;
  const std::uint64_t end = options.only == 0 ? options.images : options.only;
  const std::uint64_t jobs = std::min<std::uint64_t>(std::max(1u, options.jobs), end - first);
  std::vector<std::unique_ptr<share>> shares;
  for (std::uint64_t job = 0; job < jobs; ++job) {
    shares.push_back(std::make_unique<share>(recording, options, cuts, first + (end - first) * job / jobs,
                                             first + (end - first) * (job + 1) / jobs));
  }
  for (bool is_over = false; !is_over;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    is_over = true;
    std::uint64_t done = 0;
    for (const auto& share : shares) {
      is_over = share->poll() && is_over;
      done += share->done();
    }
    progress(done);
  }
  image_tally sum;
  for (const auto& share : shares) sum.add(share->tally());
  return sum;
}

}  // namespace tidegate::faults
