#include "tests/faults/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace tidegate::faults {
namespace {

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t begin = 0; begin < line.size();) {
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

template <class T = std::uint64_t>
T number_of(std::string_view word) {
  T value = 0;
  if (std::from_chars(word.data(), word.data() + word.size(), value).ec != std::errc{}) {
    throw std::invalid_argument(fmt::format("'{}' is no number", word));
  }
  return value;
}

std::string name_of_committed(const std::vector<std::string_view>& line) {
  return fmt::format("{} {} {}", line[1], line[2], line[3]);
}

}  // namespace

bool definition_history::may_be(bool there) const {
  return settled == there || std::ranges::find(pending, there) != pending.end();
}

const attempt* history::find(std::uint64_t number) const {
  return number == 0 || number > attempts_.size() ? nullptr : &attempts_[number - 1];
}

const definition_history* history::definition(std::string_view name) const {
  const auto found = definitions_.find(name);
  return found == definitions_.end() ? nullptr : &found->second;
}

void history::apply(std::string_view line) {
  const words words = split(line);
  if (words.empty()) return;
  if (words[0] == "opened") {
    opened_ = true;
    return;
  }
  if (words.size() >= 2 &&
      (apply_publish(words) || apply_delivery(words) || apply_log(words) || apply_definition(words))) {
    return;
  }
  throw std::invalid_argument(fmt::format("no such mark: {}", line));
}

bool history::apply_definition(const words& line) {
  if (line[0] == "define") {
    define(line[1]);
  } else if (line[0] == "remove") {
    definitions_[std::string(line[1])].pending.push_back(false);
  } else if (line[0] == "defined") {
    settle_definition(line[1], true);
  } else if (line[0] == "removed") {
    settle_definition(line[1], false);
  } else {
    return false;
  }
  return true;
}

void history::define(std::string_view name) {
  definition_history& definition = definitions_[std::string(name)];
  definition.pending.push_back(true);
  ++definition.life;
  if (name.starts_with("q/")) queues_[std::string(name.substr(2))];
  if (name.starts_with("t/")) topics_[std::string(name.substr(2))];
}

void history::settle_definition(std::string_view name, bool there) {
  definition_history& definition = definitions_.at(std::string(name));
  const auto done = std::ranges::find(definition.pending, there);
  if (done == definition.pending.end()) throw std::invalid_argument(fmt::format("settled before tried: {}", name));
  definition.pending.erase(definition.pending.begin(), done + 1);
  definition.settled = there;
  if (there) ++definition.settled_life;
  if (!there) forget(name);
}

// Forgets all that was promised of a removed queue or topic, but not of a later one of the same name.
void history::forget(std::string_view name) {
  const std::uint32_t life = definitions_.at(std::string(name)).settled_life;
  const auto of_that_life = [&](const auto& entry) { return entry.second.life <= life; };
  const std::string own(name.substr(2));
  if (name.starts_with("q/")) std::erase_if(queues_.at(own).alive, of_that_life);
  if (!name.starts_with("t/")) return;
  topics_.at(own).partitions.clear();
  std::erase_if(topics_.at(own).unplaced, of_that_life);
  std::erase_if(committed_, [&](const auto& entry) { return split(entry.first)[1] == own; });
}

bool history::apply_publish(const words& line) {
  if (line[0] == "attempt" && line.size() >= 5) {
    add_attempt(line);
  } else if (line[0] == "confirm") {
    confirm(number_of(line[1]));
  } else if (line[0] == "refuse") {
    unconfirmed_.erase(number_of(line[1]));
  } else {
    return false;
  }
  return true;
}

void history::add_attempt(const words& line) {
  const std::uint64_t number = number_of(line[1]);
  if (number != attempts_.size() + 1) throw std::invalid_argument("attempts are numbered from 1, without a gap");
  attempt& made = attempts_.emplace_back();
  made.publisher = number_of<std::uint32_t>(line[2]);
  made.sequence = number_of(line[3]);
  made.as_producer = line[4] == "yes";
  if (made.as_producer) producers_[made.publisher].tried = made.sequence;
  for (std::size_t i = 5; i < line.size(); ++i) {
    const std::string name(line[i].substr(2));
    const std::uint32_t life = definitions_.at(std::string(line[i])).life;
    if (line[i].starts_with("q/")) queues_.at(name).alive[number].life = life;
    if (line[i].starts_with("t/")) topics_.at(name).unplaced[number].life = life;
    made.targets.emplace_back(line[i]);
  }
  unconfirmed_.insert(number);
}

void history::confirm(std::uint64_t number) {
  attempt& made = attempts_.at(number - 1);
  if (std::exchange(made.confirmed, true)) return;  // a repeated message is confirmed again
  ++confirmed_;
  unconfirmed_.erase(number);
  if (made.as_producer) {
    auto& confirmed = producers_[made.publisher].confirmed;
    confirmed = std::max(confirmed, made.sequence);
  }
  for (const std::string& target : made.targets) {
    const std::string name = target.substr(2);
    if (target.starts_with("q/")) {
      const auto found = queues_.at(name).alive.find(number);
      if (found != queues_.at(name).alive.end()) found->second.confirmed = true;
    } else {
      const auto found = topics_.at(name).unplaced.find(number);
      if (found != topics_.at(name).unplaced.end()) found->second.confirmed = true;
    }
  }
}

queue_message* history::find_alive(std::string_view queue, std::string_view number) {
  queue_history& held = queues_.at(std::string(queue));
  const auto found = held.alive.find(number_of(number));
  return found == held.alive.end() ? nullptr : &found->second;
}

bool history::apply_delivery(const words& line) {
  if (line[0] == "deliver" && line.size() == 4) {
    if (queue_message* const message = find_alive(line[1], line[3])) {
      message->offset = number_of(line[2]);
      ++message->deliveries;
    }
  } else if (line[0] == "ack" && line.size() == 3) {
    if (queue_message* const message = find_alive(line[1], line[2])) message->ack_tried = true;
  } else if (line[0] == "acked" && line.size() == 3) {
    queue_history& queue = queues_.at(std::string(line[1]));
    queue.alive.erase(number_of(line[2]));
    queue.acknowledged.insert(number_of(line[2]));
  } else if (line[0] == "requeued" && line.size() == 4) {
    if (queue_message* const message = find_alive(line[1], line[2])) {
      message->requeues = number_of<std::uint32_t>(line[3]);
    }
  } else {
    return line[0] == "requeue" && line.size() == 4;
  }
  return true;
}

bool history::apply_log(const words& line) {
  if (line[0] == "limit" && line.size() == 3) {
    topics_.at(std::string(line[1])).retention_bytes = number_of(line[2]);
  } else if (line[0] == "stored" && line.size() == 5) {
    place(line);
  } else if (line[0] == "range" && line.size() == 5) {
    set_range(line);
  } else if (line[0] == "commit" && line.size() == 5) {
    committed_[name_of_committed(line)].pending.push_back(number_of(line[4]));
  } else if (line[0] == "committed" && line.size() == 5) {
    committed_history& offset = committed_[name_of_committed(line)];
    const auto done = std::ranges::find(offset.pending, number_of(line[4]));
    if (done != offset.pending.end()) offset.pending.erase(offset.pending.begin(), done + 1);
    offset.settled = number_of(line[4]);
  } else {
    return false;
  }
  return true;
}

void history::place(const words& line) {
  topic_history& topic = topics_.at(std::string(line[1]));
  partition_history& partition = topic.partitions[number_of<std::uint32_t>(line[2])];
  if (partition.numbers.empty()) partition.log_start = number_of(line[3]);
  if (number_of(line[3]) != partition.log_start + partition.numbers.size()) {
    throw std::invalid_argument("stored records come offset by offset");
  }
  partition.numbers.push_back(number_of(line[4]));
  partition.end = std::max(partition.end, number_of(line[3]) + 1);
  topic.unplaced.erase(number_of(line[4]));
}

void history::set_range(const words& line) {
  partition_history& partition = topics_.at(std::string(line[1])).partitions[number_of<std::uint32_t>(line[2])];
  const offset_t log_start = number_of(line[3]);
  while (partition.log_start < log_start && !partition.numbers.empty()) {
    partition.numbers.pop_front();
    ++partition.log_start;
  }
  partition.log_start = log_start;
  partition.end = number_of(line[4]);
}

}  // namespace tidegate::faults
