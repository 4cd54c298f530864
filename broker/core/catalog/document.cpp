#include "broker/core/catalog/document.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "broker/base/limits.hpp"

namespace tidegate::core::catalog {
namespace {

class checking {
 public:
  checking(const document& document, const exchange_registry& exchanges, const queue_registry& queues,
           const topic_registry& topics)
      : document_(document), exchanges_(exchanges), queues_(queues), topics_(topics) {}

  result<std::size_t> run() {
    check_each("exchanges", document_.exchanges);
    check_each("queues", document_.queues);
    check_each("topics", document_.topics);
    check_each("bindings", document_.bindings);
    if (!found_.first) return made_;
    if (found_.errors > found_.told) found_.text.append(fmt::format("; and {} more", found_.errors - found_.told));
    found_.first->text = std::move(found_.text);
    return *found_.first;
  }

 private:
  template <class Definition>
  void check_each(std::string_view list, const std::vector<Definition>& all) {
    names_.clear();
    coming_ = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (const auto checked = check(all[i]); !checked) note(list, i, name_of(all[i]), checked.error());
    }
    made_ += coming_;
  }

  result<void> check(const exchange_request& exchange) {
    if (const auto checked = check_once(exchange.name); !checked) return checked;
    if (const auto checked = exchanges_.check(exchange, sameness::lenient, coming_); !checked) return checked;
    exchange_types_.emplace(exchange.name, exchange.type);
    count(exchanges_.routes().find_definition(exchange.name) == nullptr);
    return {};
  }

  result<void> check(const queue_request& queue) {
    if (queue.name.empty()) return error{errc::invalid, "a queue of a document has a name", "name"};
    if (queue.exclusive) {
      return error{errc::not_allowed, "an exclusive queue belongs to a connection, and to no document", "exclusive"};
    }
    if (const auto checked = check_once(queue.name); !checked) return checked;
    if (const auto checked = queues_.check(queue, {}, sameness::lenient, coming_); !checked) return checked;
    queue_names_.insert(queue.name);
    count(queues_.find(queue.name) == nullptr);
    return {};
  }

  result<void> check(const topic_request& topic) {
    if (const auto checked = check_once(topic.name); !checked) return checked;
    if (const auto checked = topics_.check_declared(topic, {coming_, partitions_}); !checked) return checked;
    topic_names_.insert(topic.name);
    const bool is_new = topics_.find(topic.name) == nullptr;
    if (is_new) partitions_ += std::max(1u, topic.partitions);
    count(is_new);
    return {};
  }

  result<void> check(const binding_definition& binding) {
    const auto type = exchange_types_.find(binding.exchange);
    const auto checked =
        type == exchange_types_.end() ? exchanges_.check(binding) : exchange_registry::check(binding, type->second);
    if (!checked) return checked;
    if (const auto found = check_target(binding); !found) return found;
    const bool is_new = !exchanges_.has(binding) && bindings_.insert(binding).second;
    if (is_new && exchanges_.bindings_count() + coming_ >= limits::definitions_count) return limit_reached("bindings");
    count(is_new);
    return {};
  }

  result<void> check_target(const binding_definition& binding) const {
    const queues::queue* const queue = binding.kind == target_kind::queue ? queues_.find(binding.target) : nullptr;
    if (queue != nullptr) return queue_registry::check_usable(*queue, {});
    if (is_there(binding)) return {};
    return error{errc::not_found,
                 fmt::format("no {} '{}', neither here nor at the broker", name(binding.kind), binding.target),
                 "target"};
  }

  bool is_there(const binding_definition& binding) const {
    switch (binding.kind) {
      case target_kind::queue: return queue_names_.contains(binding.target);
      case target_kind::topic: return topic_names_.contains(binding.target) || topics_.find(binding.target) != nullptr;
      case target_kind::exchange:
        return exchange_types_.contains(binding.target) ||
               exchanges_.routes().find_definition(binding.target) != nullptr;
    }
    return false;
  }

  result<void> check_once(const std::string& name) {
    if (names_.insert(name).second) return {};
    return error{errc::invalid, "it is in the document twice", "name"};
  }

  void count(bool is_new) { coming_ += is_new ? 1 : 0; }

  template <class Definition>
  static const std::string& name_of(const Definition& definition) {
    return definition.name;
  }
  static const std::string& name_of(const binding_definition& binding) { return binding.exchange; }

  void note(std::string_view list, std::size_t at, std::string_view name, const error& cause) {
    const std::string place = fmt::format("{}[{}]", list, at);
    if (!found_.first) found_.first = error{cause.code, {}, place + (cause.field.empty() ? "" : "." + cause.field)};
    ++found_.errors;
    constexpr std::size_t room = limits::error_text_bytes - 32;  // leaves some for the number of the others
    std::string line = fmt::format("{}{} '{}': {}", found_.text.empty() ? "" : "; ", place, name, cause.text);
    if (found_.text.empty() && line.size() > room) {  // of names that are too long
      line = fmt::format("{}: {}", place, cause.text).substr(0, room);
    }
    if (found_.told + 1 != found_.errors || found_.text.size() + line.size() > room) return;
    found_.text.append(line);
    ++found_.told;
  }

  const document& document_;
  const exchange_registry& exchanges_;
  const queue_registry& queues_;
  const topic_registry& topics_;
  std::map<std::string, exchange_type, std::less<>> exchange_types_;  // of the document
  std::set<std::string> queue_names_, topic_names_;
  std::set<binding_definition> bindings_;
  std::set<std::string> names_;  // of the kind that is checked
  std::size_t coming_ = 0;       // new ones of that kind so far
  std::size_t partitions_ = 0;
  std::size_t made_ = 0;
  struct findings {
    std::optional<error> first = {};
    std::string text = {};
    std::size_t errors = 0, told = 0;
  } found_;
};

}  // namespace

result<std::size_t> check(const document& document, const exchange_registry& exchanges, const queue_registry& queues,
                          const topic_registry& topics) {
  return checking(document, exchanges, queues, topics).run();
}

}  // namespace tidegate::core::catalog
