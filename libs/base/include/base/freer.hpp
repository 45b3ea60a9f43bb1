// A deleter for std::unique_ptr that calls a free function of a C library: std::unique_ptr<BIO, Freer<BIO_free_all>>.
#pragma once

namespace fieldwork {

template <auto free_function>
struct Freer {
  template <class T>
  void operator()(T* pointer) const {
    free_function(pointer);
  }
};

}  // namespace fieldwork
