// A line of items: in at the back, out at the front. A new one takes no memory, where a new std::deque takes 600 bytes:
// a gateway may have thousands of queues that do nothing. It never shrinks by itself: assign {} to give memory back.
#pragma once

#include <boost/container/devector.hpp>

namespace tidegate {

template <class T>
using line = boost::container::devector<T>;

}  // namespace tidegate
