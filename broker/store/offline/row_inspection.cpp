#include "broker/store/offline/row_inspection.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/store/blob.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store::offline {
namespace {

std::uint32_t number(stream_id stream) { return static_cast<std::uint32_t>(stream); }

stream_id stream_in(std::string_view state_key) {
  if (state_key.size() < stream_key_bytes) throw storage_failure("its key is too short");
  return static_cast<stream_id>(load_be<std::uint32_t>(state_key.data() + 1));
}

void check_size(std::string_view bytes, std::size_t size, std::string_view what) {
  if (bytes.size() != size) throw storage_failure(fmt::format("{} has {} bytes, not {}", what, bytes.size(), size));
}

std::string_view bare(std::string_view key, std::string_view value) {
  if (const auto found = unsealed({key, value})) return *found;
  throw storage_failure("it fails its CRC-32C: it is damaged, or stands under another row's key");
}

}  // namespace

void row_inspection::take_meta(std::string_view key, std::string_view value) {
  meta_.emplace(key);
  if (key == meta_format) return;  // checked when the store was opened
  const std::string_view found = bare(key, value);
  if (key == meta_clean) {
    check_size(found, 1, "it");
    if (static_cast<std::uint8_t>(found[0]) > 1) throw storage_failure("it is neither 0 nor 1");
  } else if (key == meta_incarnation) {
    constexpr std::size_t uuid_text_bytes = 36;
    check_size(found, uuid_text_bytes, "it");
  } else if (key == meta_next_stream) {
    check_size(found, sizeof(std::uint32_t), "it");
    next_stream_ = load_be<std::uint32_t>(found.data());
  } else if (key == meta_journal) {
    in_tables_ = decode_journal_row(found).in_tables;
  } else if (key == meta_flash_bytes) {
    check_size(found, sizeof(std::uint64_t), "it");
  } else {
    find_(severity::note, row_name("meta", key), "is not known to this version");
  }
}

void row_inspection::take_definition(std::string_view key, std::string_view value) {
  const found_fact fact = fact_in(key, bare(key, value));
  catalog().add(fact.name, fact.value);
}

void row_inspection::take_state(std::string_view key, std::string_view sealed_value) {
  const std::string_view value = bare(key, sealed_value);
  switch (key.empty() ? '\0' : key.front()) {
    case state_stream: {
      check_size(key, stream_key_bytes, "its key");
      const checkpoint found = decode_checkpoint(value);
      if (found.kind != stream_kind::queue && found.kind != stream_kind::log) {
        throw storage_failure(fmt::format("its kind is {}", static_cast<int>(found.kind)));
      }
      streams_[stream_in(key)] = found;
      return;
    }
    case state_block:
      check_size(key, block_key_bytes, "its key");
      return take_block(stream_in(key), load_be<std::uint64_t>(key.data() + stream_key_bytes), value);
    default: return take_fact(fact_in(key, value));
  }
}

void row_inspection::take_fact(const found_fact& fact) {
  check_fact_name(fact.name);
  if (is_of_stream(fact.name)) ++facts_[stream_in(fact.name)];
  if (space_of(fact.name) == fact_space::committed_offset) decode_cursor(fact.value);
  if (space_of(fact.name) == fact_space::producer) decode_producer(fact.value);
}

void row_inspection::take_block(stream_id stream, std::uint64_t block, std::string_view value) {
  const ack_block found = decode_block(value);
  const offset_range offsets = offsets_of(block, found);
  offset_t& end = blocks_end_[stream];
  if (found.full_after > 0) end = std::max(end, offsets.end);
  for (std::uint64_t bit = 0; bit < offsets_per_block; ++bit) {
    if ((found.bits[bit / 8] >> (bit % 8) & 1) != 0) end = std::max(end, offsets.begin + bit + 1);
  }
  for (const auto& [place, count] : found.deliveries) {
    end = std::max(end, offsets.begin + place + 1);
  }
  offset_t& covered = blocks_covered_[stream];
  if (offsets.begin < covered) {
    find_(severity::inconsistent, fmt::format("stream {}", number(stream)),
          fmt::format("has two rows of acknowledgements for offset {}", offsets.begin));
  }
  covered = std::max(covered, offsets.end);
}

void row_inspection::take_blob(std::string_view blob) { visit_blob(blob, {}); }

void row_inspection::take_loss(std::string_view key, std::string_view value) {
  check_size(key, sizeof(std::uint64_t), "its key");
  decode_loss(bare(key, value));
}

void row_inspection::compare(const books& books, const contents& contents) {
  for (const auto name : {meta_incarnation, meta_clean}) {
    if (!meta_.contains(std::string(name))) find_(severity::damaged, row_name("meta", name), "is missing");
  }
  catalog defined;
  contents.each(fact_space::definition, [&](std::string_view key, std::string_view definition) {
    try {
      defined.add(key, definition);
    } catch (const storage_failure& failure) {
      find_(severity::damaged, row_name("catalog", key), failure.what());
    }
  });
  compare_definitions(books, defined);
  compare_streams(books);
  compare_blocks();
}

void row_inspection::compare_definitions(const books& books, const catalog& catalog) {
  for (const std::string& text : catalog.dangling()) find_(severity::damaged, "catalog", text);
  for (const auto& [stream, owner] : catalog.streams()) {
    const std::string where = fmt::format("{} {}", tidegate::name(owner.kind), owner.name);
    const auto found = books.streams.find(stream);
    if (found == books.streams.end()) {
      find_(severity::damaged, where, fmt::format("is defined, and its stream {} is not there", number(stream)));
    } else if ((found->second.kind == stream_kind::queue) != (owner.kind == target_kind::queue)) {
      find_(severity::damaged, where, fmt::format("is defined, and its stream {} is of another kind", number(stream)));
    } else if (found->second.in_memory != owner.in_memory) {
      find_(severity::damaged, where,
            fmt::format("is defined, and its stream {} is {}kept in memory", number(stream),
                        found->second.in_memory ? "" : "not "));
    }
  }
  for (const auto& [stream, ledger] : books.streams) {
    if (catalog.streams().contains(stream)) continue;
    find_(severity::inconsistent, fmt::format("stream {}", number(stream)), "has no definition");
  }
}

void row_inspection::compare_streams(const books& books) {
  for (const auto& [stream, checkpoint] : streams_) {
    const std::string where = fmt::format("stream {}", number(stream));
    if (checkpoint.log_start > checkpoint.next_offset) {
      find_(severity::damaged, where,
            fmt::format("begins at offset {} and ends at {}", checkpoint.log_start, checkpoint.next_offset));
    }
    if (checkpoint.in_memory && checkpoint.log_start != checkpoint.next_offset) {
      find_(severity::damaged, where, "is kept in memory, and its row tells of records");
    }
    if (checkpoint.maybe_delivered_before > checkpoint.next_offset) {
      find_(severity::inconsistent, where, "calls messages delivered that are still to come");
    }
    if (!checkpoint.age_marks.empty() && checkpoint.age_marks.back().offset > checkpoint.next_offset) {
      find_(severity::damaged, where,
            fmt::format("notes an age for what is below offset {}, and ends at {}: what is still to come would be "
                        "dropped early",
                        checkpoint.age_marks.back().offset, checkpoint.next_offset));
    }
    if (checkpoint.commit > in_tables_) {
      find_(severity::damaged, where,
            fmt::format("was last written in commit {}, and the tables in {}", checkpoint.commit, in_tables_));
    }
    if (number(stream) >= next_stream_.value_or(1)) {
      find_(severity::inconsistent, where, "has a number that would be given to another stream");
    }
  }
  for (const auto& [stream, count] : facts_) {
    // The stream's row may not be written yet; or the journal drops the stream, and its rows are not erased yet.
    if (streams_.contains(stream) || books.streams.contains(stream) || books.dropped.contains(stream)) continue;
    find_(severity::inconsistent, fmt::format("stream {}", number(stream)),
          fmt::format("is not there, and {} facts stand for it", count));
  }
}

void row_inspection::compare_blocks() {
  for (const auto& [stream, end] : blocks_end_) {
    const std::string where = fmt::format("stream {}", number(stream));
    const auto found = streams_.find(stream);
    if (found == streams_.end()) {
      find_(severity::inconsistent, where, "is not there, and acknowledgements stand for it");
    } else if (end > found->second.next_offset) {
      find_(severity::damaged, where,
            fmt::format("calls offset {} acknowledged or delivered, and ends at {}: a message that is still to come "
                        "would be lost",
                        end - 1, found->second.next_offset));
    }
  }
}

}  // namespace tidegate::store::offline
