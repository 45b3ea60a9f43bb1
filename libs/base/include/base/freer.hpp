// Frees what a C library gave, in a std::unique_ptr: std::unique_ptr<BIO, Freer<BIO_free_all>>.
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
