// A queue of items: appended at the back, removed at the front. An empty one takes no memory, where an empty std::deque
// takes 600 bytes: a gateway may have thousands of idle queues. It does not shrink by itself: assign {} to release
// memory.
#pragma once

#include <boost/container/devector.hpp>

namespace tidegate {

template <class T>
using line = boost::container::devector<T>;

}  // namespace tidegate
