#include "broker/store/store.hpp"

#include "broker/base/log.hpp"

namespace tidegate::store {
namespace {

// Share of the map that has to become free before records are taken again after the writer had no room for them.
constexpr double full_step = 0.02;

}  // namespace

store::store(store_options options)
    : options_(std::move(options)), files_(options_), memory_(options_.memory_bytes_max) {
  books& found = files_.found_books();
  next_stream_ = found.next_stream;
  memory_.add_found(found, files_.found());
  pages_ = files_.env().pages();
  pages_.used_pages += (found.pledged_bytes + pages_.page_bytes - 1) / pages_.page_bytes;
  // The extent of the loss is not known: its record names the file.
  const std::string& set_aside = files_.report().set_aside;
  if (!set_aside.empty()) open_->lose({loss_reason::damaged, stream_id{}, set_aside});
  reader_ = std::make_unique<reader>(files_.env(), files_.rows(), files_.journal(), found, &memory_.streams());
  writer_ = std::make_unique<writer>(files_.env(), files_.rows(), files_.journal(), found, options_.writer);
  thread_ = std::make_unique<writer_thread>(*writer_);
  if (options_.own_thread) thread_->start();
}

store::~store() = default;

bool store::has_work_for_writer() {
  memory_.reserve_for_riding(*open_);
  return !open_->empty();
}

std::vector<stream_update> store::apply_riding() {
  TIDEGATE_EXPECT(!busy_);
  return memory_.apply_riding();
}

void store::submit() {
  TIDEGATE_EXPECT(!busy_);
  busy_ = true;
  submitted_bytes_ = open_->bytes();
  memory_.depart_with(*open_);
  thread_->submit(std::exchange(open_, std::make_unique<commit_group>()));
}

std::optional<commit_result> store::collect() {
  auto result = thread_->collect();
  if (!result) return std::nullopt;
  busy_ = false;
  reader_->apply(*result);
  memory_.arrive_with(*result);
  note_pages(*result);
  return result;
}

bool store::is_full_for_moves() const {
  lmdb::page_use pages = pages_;
  const std::size_t bytes = open_->bytes() + (busy_ ? submitted_bytes_ : 0);
  pages.used_pages += (bytes + pages.page_bytes - 1) / pages.page_bytes;
  return pages.used_share() > move_up_to_;
}

void store::note_pages(const commit_result& result) {
  pages_ = result.pages;
  const std::uint64_t free_bytes = (pages_.map_pages - pages_.used_pages) * pages_.page_bytes;
  const bool is_tests = static_cast<bool>(options_.writer.refuses_records);  // says nothing about the room
  const bool had_its_room = !result.appends_stored && !is_tests && submitted_bytes_ < free_bytes / 4;
  if (had_its_room) full_above_ = std::min(refuse_above, pages_.used_share() - full_step);
  if (!is_full()) full_above_ = refuse_above;
  if (!result.appends_stored && !is_tests) move_up_to_ = std::min(move_up_to, pages_.used_share() - full_step);
  if (pages_.used_share() <= move_up_to_) move_up_to_ = move_up_to;
}

void store::close(std::optional<std::uint64_t> flash_bytes) {
  TIDEGATE_EXPECT(!busy_);
  try {
    writer_->checkpoint_all(memory_.streams().final_rows());
    files_.mark_clean(flash_bytes);
  } catch (const lmdb::map_full&) {
    log::warning(
        "store {}: no room to check everything in; the next start replays the journal and marks what waits in "
        "queues as redelivered",
        options_.directory.string());
  }
}

}  // namespace tidegate::store
