#include <fmt/format.h>

#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <set>

#include "broker/base/limits.hpp"
#include "client/tool/command.hpp"
#include "client/tool/document.hpp"
#include "client/tool/listing.hpp"

namespace tidegate::tool {

namespace json = boost::json;
using client::awaitable;

namespace {

bool is_brokers(std::string_view name) { return name.empty() || name.starts_with("amq."); }

std::string read_file(const std::string& file) {
  std::ifstream opened;
  if (file != "-") opened.open(file, std::ios::binary);
  std::istream& in = file == "-" ? std::cin : opened;
  if (!in) throw std::runtime_error(fmt::format("{} cannot be read", file));
  // A document that a frame takes may be longer as text.
  constexpr std::size_t bytes_max = 16 * limits::mib;
  std::string text;
  for (std::istreambuf_iterator<char> from(in), end; from != end; ++from) {
    text.push_back(*from);
    if (text.size() > bytes_max) throw std::runtime_error(fmt::format("{} is over {} bytes", file, bytes_max));
  }
  return text;
}

}  // namespace

// What the broker makes by itself is left out, and so is what belongs to one connection.
awaitable<int> export_definitions(environment& environment, const export_arguments&) {
  json::object document{
      {"exchanges", json::array()}, {"queues", json::array()}, {"topics", json::array()}, {"bindings", json::array()}};
  std::set<std::string, std::less<>> left_out;
  const auto collect = [&](const char* kind, json::object (*pick)(const json::object&),
                           const std::function<bool(const json::object&)>& is_meant) -> awaitable<void> {
    json::array& list = document[kind].as_array();
    const auto take = [&](const json::value& page) {
      for (const json::value& row : page.as_array()) {
        if (is_meant(row.as_object())) list.push_back(pick(row.as_object()));
      }
      return true;
    };
    co_await each_page(environment.broker, kind, take);
  };
  const std::function<bool(const json::object&)> is_own = [](const json::object& row) {
    return !is_brokers(row.at("name").as_string());
  };
  const std::function<bool(const json::object&)> is_lasting = [&](const json::object& row) {
    if (is_own(row) && !row.at("exclusive").as_bool()) return true;
    left_out.emplace(row.at("name").as_string());
    return false;
  };
  const std::function<bool(const json::object&)> leads_to_own = [&](const json::object& row) {
    return row.at("target_kind") != "queue" || !left_out.contains(std::string_view(row.at("target").as_string()));
  };
  co_await collect("exchanges", exchange_of, is_own);
  co_await collect("queues", queue_of, is_lasting);
  co_await collect("topics", topic_of, is_own);
  co_await collect("bindings", binding_of, leads_to_own);
  print_line(environment.json ? json::serialize(document) : to_text(document));
  co_return exit_ok;
}

awaitable<int> import_definitions(environment& environment, const import_arguments& arguments) {
  const client::definitions definitions = read_document(read_file(arguments.file));
  const std::size_t all = definitions.exchanges.size() + definitions.queues.size() + definitions.topics.size() +
                          definitions.bindings.size();
  std::uint64_t made = 0;
  try {
    made = co_await environment.broker.define(definitions, arguments.only_check);
  } catch (error_exception& refused) {
    const bool is_too_much = refused.cause.code == errc::too_large || refused.cause.code == errc::limit;
    if (is_too_much) refused.cause.text += "; nothing was declared: import the document in parts";
    throw;
  }
  if (environment.json) {
    print_json({{"definitions", all}, {"new", made}, {"checked_only", arguments.only_check}});
  } else {
    print_line(fmt::format("{} definitions: {} {}, {} were there", all, made,
                           arguments.only_check ? "would be made" : "made", all - made));
  }
  co_return exit_ok;
}

}  // namespace tidegate::tool
