// A small schema with a key of every kind, for the room's tests.
#pragma once

#include "broker/base/settings/schema.hpp"

namespace tidegate::settings {

constexpr key box_keys[] = {
    {.name = "path", .takes = kind::text, .standard = "\"/var\"", .meaning = "the directory"},
    {.name = "token", .takes = kind::text, .meaning = "a secret", .secret = true},
    {.name = "mode", .takes = kind::word, .standard = "\"slow\"", .meaning = "slow | fast", .words = {"slow", "fast"}},
    {.name = "checked", .takes = kind::boolean, .standard = "false", .meaning = "whether"},
    {.name = "count", .takes = kind::number, .standard = "3", .meaning = "how many", .least = 1, .most = 10},
    {.name = "anything", .takes = kind::number, .meaning = "a number without bounds"},
    {.name = "bytes_max",
     .takes = kind::size,
     .standard = "\"1M\"",
     .least = 1u << 10,
     .most = 1u << 30,
     .or_zero = true},
    {.name = "age", .takes = kind::duration, .standard = "\"7d\"", .most = 864'000'000},
    {.name = "wait", .takes = kind::milliseconds, .standard = "\"0ms\"", .most = 10'000},
    {.name = "groups", .takes = kind::text_list, .most = 2},
    {.name = "properties", .takes = kind::text_table},
};
constexpr key item_keys[] = {
    {.name = "name", .takes = kind::text, .meaning = "its name", .required = true},
    {.name = "size", .takes = kind::size, .meaning = "of each", .least = 1},
};
constexpr table test_tables[] = {
    {.name = "box", .meaning = "Where things are.", .keys = box_keys},
    {.name = "item", .repeats = true, .keys = item_keys},
};

}  // namespace tidegate::settings
